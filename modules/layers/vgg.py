"""The convolutions of the VGG networks (Simonyan and Zisserman, ICLR 2015), under torchvision's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.component import Born
from configs.network_interfaces import BackboneConfig
from modules.weights.published import PinnedWeights

Color = tuple[float, float, float]


class VggConfig(BackboneConfig):
    """What VGG-16 and VGG-19 have in common.

    Fields:
        batch_norm: after every convolution, before its ReLU. Published weights of the plain network can be loaded: the
            normalizations then begin with factor 1 and running statistics of mean 0 and variance 1
        dropout: rate of the dropout after every convolution and its ReLU; 0: none (Debreczeni et al., Table VI: "after each
            layer")
    """

    depths: ClassVar[tuple[int, ...]]  # convolutions of each block
    batch_norm: Annotated[bool, Born(False)] = False
    dropout: Annotated[float, Born(0.0), Field(ge=0, lt=1)] = 0.0

    def build(self) -> VggFeatures:
        return VggFeatures(self.depths, None, self.batch_norm, self.dropout)

    def fitted(self, pinned: PinnedWeights) -> PinnedWeights:
        """The published weights of the plain network, for the network with this config."""
        if not self.batch_norm:
            return pinned
        built = VggFeatures(self.depths, batch_norm=True).state_dict()
        fresh = {name: value for name, value in built.items() if name.count(".") == 3}  # features.1.0.weight: a normalization's
        return replace(pinned, convert=lambda state: {**fresh, **pinned.convert(state)})


class VggFeatures(nn.Module):
    """Five blocks of 3x3 convolutions with ReLU, each ended by 2x2 max pooling; ``features`` is torchvision's.

    Args:
        depths: convolutions of each block, (2, 2, 3, 3, 3) for VGG-16
        border: padding color of the first convolution, RGB in [-1, 1]; None: zeros, which is mid-gray
        batch_norm: see ``VggConfig``; it is part of the layer of the ReLU, so that convolutions keep their names
        dropout: see ``VggConfig``
    """

    channels = 512

    def __init__(
        self, depths: Sequence[int], border: Color | None = None, batch_norm: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.border = border
        layers: list[nn.Module] = []
        self._stages: dict[str, int] = {}
        channels = 3
        for block, (width, depth) in enumerate(zip((64, 128, 256, 512, 512), depths, strict=True), start=1):
            for place in range(1, depth + 1):
                padding = 0 if border is not None and not layers else 1
                layers += [nn.Conv2d(channels, width, kernel_size=3, padding=padding), _activation(width, batch_norm, dropout)]
                channels = width
                self._stages[f"relu{block}_{place}"] = len(layers) - 1
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            self._stages[f"pool{block}"] = len(layers) - 1
        self.features = nn.Sequential(*layers)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):  # torchvision's initialization
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def stages(self) -> dict[str, nn.Module]:
        """relu1_1, relu1_2, pool1, ..., pool5, which is the feature map."""
        return {name: self.features[index] for name, index in self._stages.items()}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 512, H // 32, W // 32)."""
        return self.features(images if self.border is None else _framed(images, self.border))


def _activation(width: int, batch_norm: bool, dropout: float) -> nn.Module:
    parts: list[nn.Module] = [nn.ReLU()]
    if batch_norm:
        parts.insert(0, nn.BatchNorm2d(width))
    if dropout > 0:
        parts.append(nn.Dropout(dropout))
    return nn.Sequential(*parts) if len(parts) > 1 else parts[0]


def _framed(images: Tensor, color: Color) -> Tensor:
    """Pads images (N, 3, H, W) with a color to (N, 3, H + 2, W + 2)."""
    height, width = images.shape[2:]
    paint = images.new_tensor(color).view(1, 3, 1, 1)
    side = paint.expand(len(images), 3, height, 1)
    edge = paint.expand(len(images), 3, 1, width + 2)
    return torch.cat([edge, torch.cat([side, images, side], 3), edge], 2)
