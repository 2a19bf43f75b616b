"""A face of nobody: the relief of a mean face as a triangulated surface, in millimetres.

Ours, since no open one comes with DeepFace: an ellipsoid with a nose, whose landmarks seen from the front are in the places of
``datamodules.geometry.fiducials`` (eyes 63 mm apart) and whose depths are about those of common landmark models: the tip of the
nose 23 mm before the eyes, the brows about level with them, the corners of the mouth 5 mm behind them. x points to the right of
the image, y down, z towards the viewer; the origin lies between the eyes.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from datamodules.geometry.fiducials import PLACES

EYES = 63.0  # between the pupils
HALF_WIDTH, HALF_HEIGHT, DEPTH, MIDDLE = 75.0, 125.0, 80.0, 18.0  # half axes of the ellipsoid; its centre below the eyes
RIM = 0.25  # share of the depth at which the face ends and the surface goes on flat
BRIDGE, TIP, BASE = -4.0, 35.9, 47.0  # where the nose begins, is highest and ends, below the eyes
RISE = 16.0  # of the tip above the ellipsoid
STEP = 5.0  # between the vertices

_eyes = PLACES[1] - PLACES[0]
MILLIMETRES = EYES / float(np.hypot(*_eyes))  # of one pixel of the 112 x 112 crop
_between = (PLACES[0] + PLACES[1]) / 2


def surface(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the smooth face: z, 0 at the eyes."""
    ellipse = 1 - (x / HALF_WIDTH) ** 2 - ((y - MIDDLE) / HALF_HEIGHT) ** 2
    return DEPTH * (np.sqrt(np.maximum(ellipse, RIM**2)) - _AT_EYES) + _nose(x, y)


def _nose(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    along = np.clip((y - BRIDGE) / (TIP - BRIDGE), 0, 1)
    height = RISE * along * np.clip((BASE - y) / (BASE - TIP), 0, 1)
    return height * np.maximum(1 - (x / (9 + 10 * along)) ** 2, 0) ** 2


_AT_EYES = float(np.sqrt(1 - (EYES / 2 / HALF_WIDTH) ** 2 - (MIDDLE / HALF_HEIGHT) ** 2))


@cache
def fiducials() -> np.ndarray:
    """Float64 (5, 3): the five landmarks on the surface."""
    flat = (PLACES - _between) * MILLIMETRES
    return np.column_stack([flat, surface(flat[:, 0], flat[:, 1])])


def heights(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z and its slopes across and down, on the triangulated surface, at any points of the frontal view.

    The vertices stand every ``STEP`` millimetres on the smooth surface; each square is two triangles, with the diagonal from
    the corner at the upper left.
    """
    column, row = np.floor(x / STEP), np.floor(y / STEP)
    across, down = x / STEP - column, y / STEP - row
    corner = {
        (i, j): surface((column + i) * STEP, (row + j) * STEP) for i in (0, 1) for j in (0, 1)
    }  # a vertex is computed wherever a point needs it
    right = across >= down  # the triangle above the diagonal
    slope_x = np.where(right, corner[1, 0] - corner[0, 0], corner[1, 1] - corner[0, 1])
    slope_y = np.where(right, corner[1, 1] - corner[1, 0], corner[0, 1] - corner[0, 0])
    return corner[0, 0] + slope_x * across + slope_y * down, slope_x / STEP, slope_y / STEP
