"""``IntegralImage`` for the images of a batch, on any device, with the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datamodules.integral_image import CENTER, EXACT, SCALE


class IntegralImages:
    """Images whose rectangles can be averaged in constant time, padded to one size.

    Attributes:
        sizes: int64 (N, 2), height and width of each image

    Args:
        images: RGB, uint8, (height, width, 3) each
        device: where the sums are, and the averages will be
    """

    def __init__(self, images: Sequence[np.ndarray], device: torch.device) -> None:
        sizes = [image.shape[:2] for image in images]
        height, width = (max(side) for side in zip(*sizes, strict=True))
        block = torch.zeros((len(images), height, width, 3), dtype=torch.uint8, pin_memory=device.type == "cuda")
        pixels = block.numpy()  # NumPy copies flipped and read-only images, too; torch takes neither
        for place, image in enumerate(images):
            pixels[place, : image.shape[0], : image.shape[1]] = image
        self.sizes = torch.tensor(sizes).to(device)
        kind = torch.int32 if height * width <= EXACT else torch.int64
        sums = block.to(device, non_blocking=True).cumsum(1, dtype=kind).cumsum(2, dtype=kind)
        self._stride = width + 1
        self._each = (height + 1) * (width + 1)
        self._sums = functional.pad(sums, (0, 0, 1, 0, 1, 0)).reshape(-1, 3)

    def whole(self, of: Tensor, sizes: Tensor) -> Tensor:
        """Whole images resized: float32 (M, 3, h, w), normalized and channels-last; h and w are those of the largest.

        Args:
            of: int64 (M,), places of images in the batch
            sizes: int64 (M, 2) on the CPU, height and width of each one after resizing; what is right of it and below is black
        """
        height, width = sizes.amax(0).tolist()
        ends = self.sizes[of]
        return self._means(of, torch.zeros_like(ends), ends, sizes.to(of.device, non_blocking=True), height, width)

    def parts(self, of: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Rectangles of images as squares of ``side`` pixels: float32 (M, 3, side, side), normalized and channels-last.

        Args:
            of: int64 (M,), places of images in the batch
            boxes: int64 (M, 4), see ``IntegralImage.parts``
        """
        return self._means(of, boxes[:, [1, 0]], boxes[:, [3, 2]], torch.full_like(boxes[:, :2], side), side, side)

    def _means(self, of: Tensor, begin: Tensor, end: Tensor, counts: Tensor, height: int, width: int) -> Tensor:
        """Means over the cells of grids of ``counts`` cells from ``begin`` to ``end``, each (M, 2): rows and columns."""
        spans, corners = [], []
        for axis, cells in enumerate((height, width)):
            length, count, first = ((each[:, axis, None]) for each in (end - begin, counts, begin))
            index = torch.arange(cells, device=of.device)
            edges = index * length // count, -(-(index + 1) * length // count)
            spans.append(edges[1] - edges[0])
            most = self.sizes[of, axis, None]
            corners.append([torch.minimum((edge + first).clamp(min=0), most) for edge in edges])
        (top, bottom), (left, right) = corners
        top, bottom = ((edge * self._stride + of[:, None] * self._each)[:, :, None] for edge in (top, bottom))
        left, right = left[:, None], right[:, None]
        sums = self._sums[bottom + right]
        sums -= self._sums[top + right]
        sums -= self._sums[bottom + left]
        sums += self._sums[top + left]
        count = spans[0][:, :, None] * spans[1][:, None]
        found = sums.float()
        found *= (SCALE / count.double()).float()[..., None]
        found -= CENTER * SCALE
        return found.permute(0, 3, 1, 2)
