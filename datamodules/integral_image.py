"""Means over image rectangles from a summed-area table; exact integers until the final division.

Crow: Summed-Area Tables for Texture Mapping. SIGGRAPH 1984. Downscaling is that of torch's ``interpolate(mode="area")``:
pixel i of n averages the pixels from floor(i * side / n) up to ceil((i + 1) * side / n).
"""

from __future__ import annotations

import cv2
import numpy as np

EXACT = 2**31 // 255  # number of pixels whose sum fits into int32
CENTER, SCALE = 127.5, 0.0078125  # normalization of pixels to about [-1, 1], as in the networks' training


class IntegralImage:
    """An image whose rectangles can be averaged in constant time.

    Args:
        image: RGB, uint8, (height, width, 3)
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        deep = cv2.CV_32S if self.height * self.width <= EXACT else cv2.CV_64F
        self._sums = cv2.integral(np.ascontiguousarray(image), sdepth=deep)

    def whole(self, height: int, width: int) -> np.ndarray:
        """The whole image resized: float32 (height, width, 3), normalized."""
        top, bottom = _edges(np.int64(self.height), height)
        left, right = _edges(np.int64(self.width), width)
        rows = self._sums.take(bottom, axis=0)
        rows -= self._sums.take(top, axis=0)
        sums = rows.take(right, axis=1)
        sums -= rows.take(left, axis=1)
        return _centered(sums, (bottom - top)[:, None] * (right - left)[None])

    def parts(self, boxes: np.ndarray, side: int) -> np.ndarray:
        """Rectangles of the image as squares of ``side`` pixels: float32 (N, side, side, 3), normalized.

        Pixels outside the image are black, as in the authors' code.

        Args:
            boxes: int64 (N, 4): x0, y0, x1, y1; the pixels x0 <= x < x1 and y0 <= y < y1; at least one pixel
        """
        left, right = (edge + boxes[:, :1] for edge in _edges(boxes[:, 2:3] - boxes[:, :1], side))
        top, bottom = (edge + boxes[:, 1:2] for edge in _edges(boxes[:, 3:] - boxes[:, 1:2], side))
        count = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        left, right = (np.clip(edge, 0, self.width)[:, None, :] for edge in (left, right))
        top, bottom = (np.clip(edge, 0, self.height)[:, :, None] * (self.width + 1) for edge in (top, bottom))
        flat = self._sums.reshape(-1, 3)
        sums = flat.take(bottom + right, axis=0)
        sums -= flat.take(top + right, axis=0)
        sums -= flat.take(bottom + left, axis=0)
        sums += flat.take(top + left, axis=0)
        return _centered(sums, count)


def _edges(length: np.ndarray | np.int64, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each of ``count`` parts of a side; parts overlap if the side is not divisible."""
    index = np.arange(count)
    return index * length // count, -(-(index + 1) * length // count)


def _centered(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    found = sums.astype(np.float32)
    found *= (SCALE / count).astype(np.float32)[..., None]
    found -= np.float32(CENTER * SCALE)
    return found
