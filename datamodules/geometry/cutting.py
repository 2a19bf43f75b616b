"""Cropping and resizing."""

from __future__ import annotations

import cv2
import numpy as np

Size = int | tuple[int, int]
"""Pixels: the side of a square, or height and width."""


def sides(size: Size) -> tuple[int, int]:
    """(height, width) of a size."""
    return (size, size) if isinstance(size, int) else size


def cut(image: np.ndarray, box: tuple[int, int, int, int], size: Size) -> np.ndarray:
    """The pixels x0 <= x < x1, y0 <= y < y1, resized without keeping the aspect ratio: uint8 (height, width, 3).

    Area averaging if both sides shrink, linear interpolation otherwise.

    Args:
        image: uint8 (height, width, 3)
        box: x0, y0, x1, y1 in pixels, inside the image and not empty
        size: in pixels
    """
    height, width = sides(size)
    x0, y0, x1, y1 = box
    part = image[y0:y1, x0:x1]
    assert part.size, f"an empty box {box} of an image of shape {image.shape}"
    if part.shape[:2] == (height, width):
        return part.copy()
    shrinks = part.shape[0] >= height and part.shape[1] >= width
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def centered_square(image: np.ndarray, fraction: float) -> tuple[int, int, int, int]:
    """The centered square whose side is ``fraction`` of the image's shorter side, as a box."""
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * fraction))
    x0, y0 = (width - side) // 2, (height - side) // 2
    return x0, y0, x0 + side, y0 + side


CENTER = 0.5  # side of the crop used when no face was found, as a fraction of the image's shorter side


def stand_in(image: np.ndarray, size: Size) -> np.ndarray:
    """The crop where no face was found: the largest part of the crop's aspect ratio inside the centered square with half the
    image's shorter side, resized.
    """
    height, width = sides(size)
    x0, y0, x1, _ = centered_square(image, CENTER)
    side, longer = x1 - x0, max(height, width)
    across, down = (max(1, round(side * one / longer)) for one in (width, height))
    x0, y0 = x0 + (side - across) // 2, y0 + (side - down) // 2
    return cut(image, (x0, y0, x0 + across, y0 + down), size)
