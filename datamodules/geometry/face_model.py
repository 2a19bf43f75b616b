"""A mean face as a triangulated surface, in millimetres.

No open model comes with DeepFace, so this is our own: an ellipsoid with a nose. Seen from the front, its landmarks are at the
places of ``datamodules.geometry.fiducials`` (eyes 63 mm apart); their depths are about those of common landmark models: the tip
of the nose 23 mm in front of the eyes, the brows about level with them, the corners of the mouth 5 mm behind them. x points to
the right of the image, y down, z towards the viewer; the origin is between the eyes.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from datamodules.geometry.fiducials import PLACES

EYES = 63.0  # distance between the pupils
HALF_WIDTH, HALF_HEIGHT, DEPTH, MIDDLE = 75.0, 125.0, 80.0, 18.0  # half axes of the ellipsoid; its center below the eyes
RIM = 0.25  # fraction of the depth at which the face ends; beyond it the surface is flat
BRIDGE, TIP, BASE = -4.0, 35.9, 47.0  # y of the nose's upper end, tip and lower end, from the eyes
RISE = 16.0  # height of the tip above the ellipsoid
STEP = 5.0  # distance between vertices

_eyes = PLACES[1] - PLACES[0]
MILLIMETRES = EYES / float(np.hypot(*_eyes))  # millimetres per pixel of the 112 x 112 crop
_between = (PLACES[0] + PLACES[1]) / 2


def surface(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height z of the smooth face; 0 at the eyes."""
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
    """z and its slopes in x and y on the triangulated surface, at any points of the frontal view.

    The vertices lie every ``STEP`` millimetres on the smooth surface; each square is split into two triangles by the diagonal
    from its upper left corner.
    """
    column, row = np.floor(x / STEP), np.floor(y / STEP)
    across, down = x / STEP - column, y / STEP - row
    corner = {
        (i, j): surface((column + i) * STEP, (row + j) * STEP) for i in (0, 1) for j in (0, 1)
    }  # compute only the vertices that are needed
    right = across >= down  # the triangle above the diagonal
    slope_x = np.where(right, corner[1, 0] - corner[0, 0], corner[1, 1] - corner[0, 1])
    slope_y = np.where(right, corner[1, 1] - corner[1, 0], corner[0, 1] - corner[0, 0])
    return corner[0, 0] + slope_x * across + slope_y * down, slope_x / STEP, slope_y / STEP
