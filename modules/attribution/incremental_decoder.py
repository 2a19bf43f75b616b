"""Incremental decoding: recomputes only the part of the decoded image that one changed value of the feature map affects.

A transposed convolution with kernel 4, stride 2 and padding 1 spreads one location over 4 x 4, and a window of n x n over
(2 n + 2) x (2 n + 2); the operations after it are pointwise. So one changed location affects windows of side 4, 10, 22 and 46
after one to four layers: about 17 % of the image for a 7 x 7 map and a 112 x 112 image. The convolution is linear, so the
change of its output is the convolution of the change of its input. This is exact; only the order of summation differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.decoders.transposed import Transposed

# Batch normalization is in evaluation mode.
POINTWISE = {nn.BatchNorm2d, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity}


@dataclass(frozen=True)
class Windows:
    """The window in which B images differ from the decoded image; outside it they are equal.

    Attributes:
        values: (B, n, m, channels)
        before: (n, m, channels), the values in the decoded image
        top, left: first row and column of the window in the image
    """

    values: Tensor
    before: Tensor
    top: int
    left: int


@dataclass(frozen=True)
class _Layer:
    weight: Tensor  # (before, 4, 4, after), times the scale of the normalization that follows
    phases: Tensor  # as a 2 x 2 convolution for each of the four output parities: (4 * after, before, 2, 2)
    start: nn.Module  # the convolution, and the normalization if one follows
    rest: nn.Module  # the pointwise operations after that


class Incremental:
    """Decoder state for one feature map (C, h, w); the network is in evaluation mode.

    Attributes:
        image: (H, W, 3), the decoded image
    """

    def __init__(self, decoder: nn.Module, features: Tensor) -> None:
        layers = _layers(decoder)
        assert layers is not None, "this decoder is no stack of doubling transposed convolutions"
        self.layers = layers
        self.features = features.clone()
        self.sums: list[Tensor] = []  # per layer, before the pointwise operations: (h, w, channels)
        self.values: list[Tensor] = []  # after it
        current = features[None]
        for layer in layers:
            sums = layer.start(current)
            current = layer.rest(sums.clone())  # an activation may be in place
            self.sums.append(sums[0].permute(1, 2, 0).contiguous())
            self.values.append(current[0].permute(1, 2, 0).contiguous())

    @property
    def image(self) -> Tensor:
        return self.values[-1]

    def change(self, channels: Tensor, row: int, column: int, values: Tensor, keep: bool = False) -> Windows:
        """Changed windows of the image if location (row, column) of ``channels`` (B,) is set to ``values`` (B,).

        The B changes are independent of each other. With ``keep``, B must be 1, and the change persists for later calls.
        """
        assert not keep or len(channels) == 1, len(channels)
        step = values - self.features[channels, row, column]
        if keep:
            self.features[channels, row, column] = values
        spread = self.layers[0].weight[channels] * step[:, None, None, None]  # one channel per change, so no sum over channels
        top, left = row, column
        for number in range(len(self.layers)):
            top, left = 2 * top - 1, 2 * left - 1
            found = self._add(number, spread, top, left, keep)
            top, left = found.top, found.left
            if number + 1 < len(self.layers):
                spread = convolved(found.values - found.before, self.layers[number + 1])
            if keep:
                self.values[number][top : top + found.values.shape[1], left : left + found.values.shape[2]] = found.values[0]
        return found

    def _add(self, number: int, spread: Tensor, top: int, left: int, keep: bool) -> Windows:
        """A layer's output after adding ``spread`` (B, n, m, channels) to its sums; parts outside the image are cropped."""
        height, width = self.sums[number].shape[:2]
        rows, columns = (
            slice(max(0, top), min(height, top + spread.shape[1])),
            slice(max(0, left), min(width, left + spread.shape[2])),
        )
        spread = spread[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        sums = self.sums[number][rows, columns] + spread
        if keep:
            self.sums[number][rows, columns] = sums[0]
        values = self.layers[number].rest(sums.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        before = self.values[number][rows, columns]
        return Windows(values, before.clone() if keep else before, rows.start, columns.start)


def applies(decoder: nn.Module) -> bool:
    """Whether ``Incremental`` supports this ``decoder``."""
    return _layers(decoder) is not None


def _layers(decoder: nn.Module) -> list[_Layer] | None:
    if type(decoder) is not Transposed:
        return None  # an overridden forward may do more than run its layers
    found = []
    for block in decoder.layers.children():
        first, *others = block.children()
        if not (isinstance(first, nn.ConvTranspose2d) and all(map(_is_pointwise, others))):
            return None
        if (first.kernel_size, first.stride, first.padding) != ((4, 4), (2, 2), (1, 1)):
            return None
        if (first.groups, first.dilation, first.output_padding) != (1, (1, 1), (0, 0)):
            return None
        weight, start = first.weight.detach(), nn.Sequential(first)
        if others and isinstance(norm := others[0], nn.BatchNorm2d):
            start.append(others.pop(0))
            weight = weight * _scale(norm)[:, None, None]
        parts = [weight[:, :, a::2, b::2].flip(2, 3) for a in (0, 1) for b in (0, 1)]
        phases = torch.cat(parts, 1).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        found.append(_Layer(weight.permute(0, 2, 3, 1).contiguous(), phases, start, nn.Sequential(*others)))
    return found


def _is_pointwise(module: nn.Module) -> bool:
    if isinstance(module, nn.BatchNorm2d) and module.running_var is None:
        return False  # uses batch statistics
    return type(module) in POINTWISE


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    """Scale factors (channels,) of a batch normalization in evaluation mode."""
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    return scale if norm.weight is None else scale * norm.weight.detach()


def convolved(change: Tensor, layer: _Layer) -> Tensor:
    """Transposed convolution (B, n, m, before) to (B, 2 n + 2, 2 m + 2, after), unpadded; what is outside is dropped later."""
    count, height, width, before = change.shape
    after = layer.weight.shape[3]
    if after < 16:  # too few to be worth adding in rows
        phases = functional.conv2d(change.permute(0, 3, 1, 2), layer.phases, padding=1).permute(0, 2, 3, 1)
        parts = phases.reshape(count, height + 1, width + 1, 2, 2, after).transpose(2, 3)
        return parts.reshape(count, 2 * height + 2, 2 * width + 2, after)
    shares = (change.reshape(-1, before) @ layer.weight.view(before, -1)).view(count, height, width, 2, 2, 2, 2, after)
    total = change.new_zeros(count, height + 1, 2, width + 1, 2, after)
    for down in (0, 1):
        for right in (0, 1):
            part = shares[:, :, :, down, :, right].permute(0, 1, 3, 2, 4, 5)
            total[:, down : down + height, :, right : right + width] += part
    return total.view(count, 2 * height + 2, 2 * width + 2, after)
