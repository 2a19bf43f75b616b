"""From pixel values to network inputs, on any device."""

from __future__ import annotations

import torch


def normalized(pixels: torch.Tensor, channels_last: bool = True) -> torch.Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1] on the same device, bits as ``to_tensor``."""
    images = pixels.permute(0, 3, 1, 2)
    if not channels_last:
        images = images.contiguous()
    divisor = torch.full((), 127.5, device=pixels.device)  # GPUs multiply by the reciprocal of a Python number
    return images.float().div_(divisor).sub_(1.0)
