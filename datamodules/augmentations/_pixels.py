"""Changes of a batch of images, each by parameters of its own, on any device.

Images are float32 (B, 3, H, W) from 0 to 255. Nothing but sums and products element by element, so an image's result does not
depend on the others of its batch (``affine_grid`` would multiply matrices, on GPUs possibly with TF32), and no value is read on
the host, which would wait for a GPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601, as OpenCV's


def moved(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Affine warp about the center, bilinear, with pixels beyond the border mirrored at the outermost ones (reflect 101).

    Args:
        matrix: (B, 4), the rows of the 2 x 2 matrix that maps a position of the result to one of the image, after the shift is
            subtracted; in pixels from the center, x to the right and y down
        shift: (B, 2), in x and y, as fractions of width and height
    """
    height, width = images.shape[2:]
    a, b, c, d = (one[:, None, None] for one in matrix.unbind(1))
    right, down = (one[:, None, None] for one in shift.unbind(1))
    x = (torch.arange(width, device=images.device) - (width - 1) / 2)[None, None, :] - right * width
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[None, :, None] - down * height
    # grid_sample counts from -1 to 1 between the centers of the outermost pixels.
    grid = torch.stack([(a * x + b * y) * (2 / max(width - 1, 1)), (c * x + d * y) * (2 / max(height - 1, 1))], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def lit(images: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """``contrast`` times the image plus ``brightness`` times white, both (B,)."""
    return (images * contrast[:, None, None, None] + (brightness * 255)[:, None, None, None]).clamp(0, 255)


def grayed(images: Tensor, gray: Tensor) -> Tensor:
    """Grayscale where ``gray`` (B,) is above 0."""
    red, green, blue = images.unbind(1)
    luma = (red * LUMA[0] + green * LUMA[1] + blue * LUMA[2])[:, None]
    return torch.where((gray > 0)[:, None, None, None], luma, images)


def erased(images: Tensor, box: Tensor, value: int) -> Tensor:
    """Fills the pixels whose centers lie in ``box`` (B, 4): x0, y0, x1, y1 as fractions of the sides; none if x0 = x1."""
    height, width = images.shape[2:]
    x0, y0, x1, y1 = (one[:, None] for one in box.unbind(1))
    x, y = (torch.arange(side, device=images.device)[None] + 0.5 for side in (width, height))
    columns, rows = (x >= x0 * width) & (x < x1 * width), (y >= y0 * height) & (y < y1 * height)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], value)
