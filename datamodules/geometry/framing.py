"""Framing of DeepFace's two alignments: looser than the recognition template, with forehead, chin and cheeks.

The paper shows its crop without stating the numbers; these are ours. ``align2d`` and ``frontal3d`` share them, so that they
differ only in how they treat a turned head.
"""

from __future__ import annotations

import numpy as np

from datamodules.geometry.cutting import Size, sides
from datamodules.geometry.face_model import MILLIMETRES
from datamodules.geometry.fiducials import NATURAL, PLACES

SHRUNK = 0.8  # relative to the 112 x 112 template
EYES_AT = 0.42  # fraction of the crop's height


def scale(size: Size) -> float:
    """Pixels of the crop per millimetre of a mean face."""
    return sides(size)[0] / NATURAL * SHRUNK / MILLIMETRES


def origin(size: Size) -> tuple[float, float]:
    """The point between the eyes, in the crop."""
    height, width = sides(size)
    return width / 2, EYES_AT * height


def frontal(size: Size) -> np.ndarray:
    """Float64 (5, 2): target positions of a frontal face's landmarks."""
    return (PLACES - (PLACES[0] + PLACES[1]) / 2) * MILLIMETRES * scale(size) + origin(size)
