"""A locally connected layer: a convolution with separate weights at each location (Taigman et al., CVPR 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LocallyConnected(nn.Module):
    """out[n, o, y, x] = bias[o, y, x] + sum over c, i, j of image[n, c, s y + i, s x + j] weight[(y, x), o, (i, j, c)].

    One matrix product per location, all in one batched call. The batch is the last axis, so that patches are copied in long
    contiguous runs: on a CPU this takes less than half the time of ``torch.nn.functional.unfold``, which has locations last.
    The patches of the whole batch are in memory at once, kernel x kernel times the input. There is no padding, so the map
    shrinks.

    Args:
        channels: of the input
        out: channels of the output
        size: height and width of the input; other sizes are not supported
        kernel: side of the kernel
        stride: distance between two locations

    Attributes:
        weight: (locations, out, kernel * kernel * channels); locations in row-major order
        bias: (out, height, width) of the output
        out_size: height and width of the output

    Raises:
        ValueError: the kernel is larger than the input.
    """

    def __init__(self, channels: int, out: int, size: tuple[int, int], kernel: int, stride: int = 1) -> None:
        super().__init__()
        if min(size) < kernel:
            raise ValueError(
                f"a locally connected layer of kernel {kernel} cannot work on a map of {size[0]} x {size[1]} cells"
            )
        self.size = size
        self.kernel = kernel
        self.stride = stride
        self.out_size = ((size[0] - kernel) // stride + 1, (size[1] - kernel) // stride + 1)
        self.weight = nn.Parameter(torch.empty(self.out_size[0] * self.out_size[1], out, kernel**2 * channels))
        self.bias = nn.Parameter(torch.empty(out, *self.out_size))
        bound = (channels * kernel**2) ** -0.5  # torch's default for convolutions
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, *size) to (N, out, *out_size).

        Raises:
            ValueError: the input has another height or width.
        """
        if tuple(features.shape[2:]) != self.size:
            raise ValueError(f"a locally connected layer for {self.size} cells met a map of {tuple(features.shape[2:])}")
        images_last = features.permute(2, 3, 1, 0).contiguous()  # (height, width, channels, N)
        windows = images_last.unfold(0, self.kernel, self.stride).unfold(1, self.kernel, self.stride)
        patches = windows.permute(0, 1, 4, 5, 2, 3).reshape(len(self.weight), -1, len(features))
        maps = torch.bmm(self.weight, patches).permute(2, 1, 0).reshape(len(features), -1, *self.out_size)
        return maps + self.bias.to(maps.dtype)  # keeps the lower precision of the product under autocast

    def extra_repr(self) -> str:
        return f"size={self.size}, kernel={self.kernel}, stride={self.stride}, weight={tuple(self.weight.shape)}"
