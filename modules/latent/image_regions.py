"""Images cut into face and background: the face region of a crop, and images that show only one of the two."""

from __future__ import annotations

from typing import Literal

import numpy as np

Fill = Literal["gray", "black", "mean"]
# Half axes of the ellipse around a face, along and across it, in units of the distance between eyes and mouth; its center lies
# between the eyes. Its intersection over union with the true region (with hair and ears) of 24 drawn faces is 0.76 on average.
ALONG, ACROSS = 1.75, 1.3


def landmark_ellipse(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (height, width): an upright or tilted ellipse around a face.

    Args:
        points: (5, 2), x and y in pixels: left and right eye, nose, left and right mouth corner

    Raises:
        ValueError: eyes and mouth coincide, so that the face has no size.
    """
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    down = mouth - eyes
    unit = float(np.hypot(*down))
    if unit == 0:
        raise ValueError("the eyes and the mouth are at the same place, so the face has no size")
    down = down / unit
    x, y = np.meshgrid(np.arange(width) + 0.5 - eyes[0], np.arange(height) + 0.5 - eyes[1])
    along, across = x * down[0] + y * down[1], x * down[1] - y * down[0]
    return (along / (ALONG * unit)) ** 2 + (across / (ACROSS * unit)) ** 2 <= 1


def filled(images: np.ndarray, region: np.ndarray, fill: Fill) -> np.ndarray:
    """The images uint8 (N, H, W, 3) with one color in the region bool (N, H, W).

    ``gray`` is 128, near 0 in the network's input; ``mean`` is the mean color of each image outside of its region.
    """
    found = images.copy()
    for image, inside in zip(found, region, strict=True):
        if fill == "mean" and not inside.all():
            image[inside] = np.rint(image[~inside].mean(0)).astype(np.uint8)
        else:
            image[inside] = 0 if fill == "black" else 128
    return found
