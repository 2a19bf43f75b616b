"""The three networks of MTCNN with facenet-pytorch's weights, optimized for CPUs.

The results equal those of facenet-pytorch's modules up to rounding. Features are channels-last, which makes pooling five times
as fast; the first activation and pooling of P-Net work on whole rows, as torch's own are slow with ten channels; the face score
is the sigmoid of a difference instead of a softmax of two numbers. R-Net and O-Net get zero-padded batches of a few fixed
sizes, which fit the processor's cache and whose kernels are compiled only once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

REFINED, OUTPUT = (8, 32), (2, 12)  # batch sizes of R-Net and O-Net: a multiple of the first number, at most the second


class Networks:
    """P-Net, R-Net and O-Net on one device; inputs are channels-last arrays, outputs float32 NumPy arrays."""

    def __init__(self, device: torch.device) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.device = device
        p, r, o = (net().eval().to(device, memory_format=torch.channels_last) for net in (PNet, RNet, ONet))
        self._p, self._r, self._o = p, r, o
        self._p_head = _weights(_faceness(p.conv4_1), _of(p.conv4_2))
        self._r_heads = _weights(_faceness(r.dense5_1), _of(r.dense5_2))
        self._o_heads = _weights(_faceness(o.dense6_1), _of(o.dense6_2), _of(o.dense6_3))
        self._r_dense = _rows_first(r.dense4, 64)
        self._o_dense = _rows_first(o.dense5, 128)

    def propose(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (h, w) and box offsets (h, w, 4) of the 12-pixel windows at stride 2 of an image (H, W, 3)."""
        net = self._p
        x = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None]
        x = _halved(_prelu(net.conv1(x), net.prelu1))
        x = net.prelu3(net.conv3(net.prelu2(net.conv2(x))))
        out = functional.linear(x.permute(0, 2, 3, 1)[0], *self._p_head).cpu()
        return out[..., 0].sigmoid().numpy(), out[..., 1:].numpy()

    def refine(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (N,) and offsets (N, 4) of faces (N, 24, 24, 3)."""
        out = _in_blocks(faces, self._refine, *REFINED, self.device)
        return out[:, 0], out[:, 1:]

    def output(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores (N,), offsets (N, 4) and landmarks (N, 10: five x, five y) of faces (N, 48, 48, 3)."""
        out = _in_blocks(faces, self._output, *OUTPUT, self.device)
        return out[:, 0], out[:, 1:5], out[:, 5:]

    def proposals(self, images: Tensor, sizes: Tensor) -> Tensor:
        """Score and box offsets (N, h, w, 5) of the windows of a batch on the device, for ``mtcnn_batches``.

        Args:
            images: (N, 3, H, W)
            sizes: int64 (N, 2) on the CPU: height and width of each image within the batch; windows beyond get the score -1
        """
        net = self._p
        padded = bool((sizes != sizes[0]).any())
        x = net.prelu1(net.conv1(images))
        inside = sizes.to(x.device, non_blocking=True) - 2
        if padded:
            x.masked_fill_(_beyond(x, inside), torch.finfo(x.dtype).min)  # an odd last row or column is pooled by itself
        x = net.pool1(x)
        inside = (inside + 1) // 2
        if padded:
            x.masked_fill_(_beyond(x, inside), 0)
        x = net.prelu3(net.conv3(net.prelu2(net.conv2(x))))
        out = functional.linear(x.permute(0, 2, 3, 1), *self._p_head)
        scores = out[..., 0].sigmoid()
        out[..., 0] = scores.masked_fill(_beyond(x, inside - 4)[:, 0], -1) if padded else scores
        return out

    def refined(self, faces: Tensor) -> Tensor:
        """Score and offsets (N, 5) of faces (N, 3, 24, 24), on the device."""
        return _scored(self._refine(faces))

    def outputs(self, faces: Tensor) -> Tensor:
        """Score, offsets and landmarks (N, 15: as of ``output``) of faces (N, 3, 48, 48), on the device."""
        return _scored(self._output(faces))

    def _refine(self, x: Tensor) -> Tensor:
        net = self._r
        x = net.pool1(net.prelu1(net.conv1(x)))
        x = net.pool2(net.prelu2(net.conv2(x)))
        x = net.prelu3(net.conv3(x)).permute(0, 2, 3, 1).flatten(1)
        return functional.linear(net.prelu4(functional.linear(x, *self._r_dense)), *self._r_heads)

    def _output(self, x: Tensor) -> Tensor:
        net = self._o
        x = net.pool1(net.prelu1(net.conv1(x)))
        x = net.pool2(net.prelu2(net.conv2(x)))
        x = net.pool3(net.prelu3(net.conv3(x)))
        x = net.prelu4(net.conv4(x)).permute(0, 2, 3, 1).flatten(1)
        return functional.linear(net.prelu5(functional.linear(x, *self._o_dense)), *self._o_heads)


def _in_blocks(faces: np.ndarray, net: Callable[[Tensor], Tensor], step: int, most: int, device: torch.device) -> np.ndarray:
    """The outputs (N, numbers) of ``net``, computed in batches; the first number is turned into a score."""
    found = []
    for start in range(0, len(faces), most):
        part = faces[start : start + most]
        count = len(part)
        if short := -count % step:
            part = np.concatenate([part, np.zeros((short, *part.shape[1:]), np.float32)])
        out = net(torch.from_numpy(part).to(device).permute(0, 3, 1, 2))[:count].cpu()
        found.append(_scored(out).numpy())
    return np.concatenate(found)


def _scored(out: Tensor) -> Tensor:
    """Turns the first of the numbers (N, numbers) into a score."""
    out[:, 0].sigmoid_()
    return out


def _beyond(x: Tensor, sizes: Tensor) -> Tensor:
    """bool (N, 1, H, W): the places of a batch x (N, C, H, W) that are outside of its images of these heights and widths."""
    rows, columns = (torch.arange(side, device=x.device) for side in x.shape[2:])
    high, wide = sizes[:, 0, None, None, None], sizes[:, 1, None, None, None]
    return (rows[:, None] >= high) | (columns >= wide)


def _of(layer: Any) -> tuple[Tensor, Tensor]:
    return layer.weight, layer.bias


def _faceness(layer: Any) -> tuple[Tensor, Tensor]:
    """Merges two output rows into one: the softmax of two numbers is the sigmoid of their difference."""
    weight, bias = _of(layer)
    return weight[1:] - weight[:1], bias[1:] - bias[:1]


def _weights(*parts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Several linear layers combined into one."""
    weight = torch.cat([weight.detach().flatten(1) for weight, _ in parts])
    return weight, torch.cat([bias.detach() for _, bias in parts])


def _rows_first(layer: nn.Linear, channels: int) -> tuple[Tensor, Tensor]:
    """Weights for input flattened from (height, width, channels); the layer expects (width, height, channels)."""
    weight = layer.weight.detach()
    side = round((weight.shape[1] / channels) ** 0.5)
    turned = weight.view(len(weight), side, side, channels).transpose(1, 2).reshape(len(weight), -1)
    return turned.contiguous(), layer.bias.detach()


def _prelu(x: Tensor, layer: nn.PReLU) -> Tensor:
    """PReLU in place on whole rows of (width, channels); torch's own works pixel by pixel."""
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).view(count, height, width * channels)
    negative = rows.clamp(max=0)
    rows.clamp_(min=0).addcmul_(negative, layer.weight.detach().repeat(width))
    return x


def _halved(x: Tensor) -> Tensor:
    """2 x 2 max pooling; an odd last row or column is kept."""
    for axis in (2, 3):
        every, odd = (slice(None),) * axis, x[(slice(None),) * axis + (slice(1, None, 2),)]
        found = x[(*every, slice(0, None, 2))].clone()
        both = found.narrow(axis, 0, odd.shape[axis])
        torch.maximum(both, odd, out=both)
        x = found
    return x
