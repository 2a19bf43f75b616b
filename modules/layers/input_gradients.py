"""Image gradients as network input instead of colors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Gradients(nn.Module):
    """Gray value, gradient magnitude and gradient orientation: the second input of DeepFace's ensemble (Taigman et al., 2014).

    All three are in [-1, 1]: the gray value g, unchanged; the magnitude m = |(dx, dy)| of central differences over two pixels,
    with replicated border, as sqrt(2) m - 1, because m is at most sqrt(2); the orientation atan2(dy, dx) / pi, with y downwards
    and 0 where the image is flat. The paper does not specify the scaling.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [-1, 1] to (N, 3, H, W): gray, magnitude, orientation.

        Where the image is flat, magnitude and orientation have no derivative; it is defined as 0.
        """
        gray = (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        wide = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
        across = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
        down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
        flat = (across == 0) & (down == 0)
        across = torch.where(flat, 1.0, across)  # square root and arc tangent must not be evaluated at (0, 0)
        length = (across.square() + down.square()).sqrt()
        magnitude = torch.where(flat, 0.0, length)
        orientation = torch.where(flat, 0.0, torch.atan2(down, across) / math.pi)
        return torch.cat([gray, math.sqrt(2) * magnitude - 1, orientation], 1)
