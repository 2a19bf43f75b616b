"""Layers shared by FaceNet's networks (Schroff et al., "FaceNet", CVPR 2015)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from modules.layers.initialization import he
from modules.layers.normalize import wide


class FaceNetBackbone(nn.Module):
    """A sequence of layers, each of which is a stage.

    Args:
        layers: name -> module with a spatial output, in order; weights are initialized by ``modules.layers.initialization.he``
        channels: of the last layer's output
    """

    def __init__(self, layers: Mapping[str, nn.Module], channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(OrderedDict(layers))
        he(self.layers)

    def stages(self) -> dict[str, nn.Module]:
        """All layers; the last one gives the feature map."""
        return dict(self.layers.named_children())

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, channels, h, w)."""
        return self.layers(images)


def convolution(channels: int, out: int, kernel: int, *, stride: int = 1, batch_norm: bool = False) -> nn.Sequential:
    """A convolution and ReLU; side n becomes ceil(n / stride). With ``batch_norm`` the normalization provides the bias."""
    layers: list[nn.Module] = [nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out))
    return nn.Sequential(*layers, nn.ReLU())


def max_pool(stride: int = 2) -> nn.MaxPool2d:
    """3x3 max pooling; side n becomes ceil(n / stride)."""
    return nn.MaxPool2d(3, stride, padding=1)


class ResponseNorm(nn.Module):
    """Local response normalization over five neighboring channels: x / (2 + 1e-4 sum of x^2) ^ 0.75.

    The constants are those of Krizhevsky et al. (NIPS 2012, Section 3.3); FaceNet gives none. The sum is computed in float32 or
    wider: in half precision the square of 256 already overflows. torch's own layer averages with ``avg_pool3d``, whose gradient
    has no deterministic form on CUDA.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        values = wide(features)
        channels = values.shape[1]
        squares = functional.pad(values.square(), (0, 0, 0, 0, 2, 2))
        total = squares[:, :channels]
        for first in range(1, 5):
            total = total + squares[:, first : first + channels]
        return (values / (1e-4 * total + 2.0).pow(0.75)).to(features.dtype)


class L2Pool(nn.Module):
    """Root mean square over 3x3 windows, in float32; a constant map is unchanged, also at the border.

    For an all-zero window the derivative is defined as 0; the root has none there, and autograd would give NaN.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C, ceil(h / stride), ceil(w / stride)), non-negative."""
        squares = functional.avg_pool2d(features.float().square(), 3, self.stride, padding=1, count_include_pad=False)
        empty = squares == 0
        return squares.masked_fill(empty, 1.0).sqrt().masked_fill(empty, 0.0).to(features.dtype)
