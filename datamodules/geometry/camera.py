"""The affine camera that maps five landmarks of a mean face to the detected ones.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 2.1: the camera P (2 x 4) is the generalized least squares solution
of x2d = X3d P with a known covariance of the errors. Five points give ten equations for eight unknowns, so a prior is added:
P is near that of a frontal face (mixed estimation: Theil and Goldberger, 1961). The covariances are ours; of a turn that the
landmarks show, about three quarters are accepted.
"""

from __future__ import annotations

import numpy as np

NOISE = 3.5  # standard deviation of a landmark, in millimetres on the face
NOSE_NOISE = 4.5  # of the nose's landmark: its depth varies between subjects
FLAT = 0.1  # standard deviation of the in-plane part from the identity, which is a frontal face's
TURN = 0.3  # of the depth part: the sine of the head's turn
SHIFT = 30.0  # of the translation, in millimetres


def covariance() -> np.ndarray:
    """Covariance of the landmark coordinates x0, y0, x1, y1, ...: (10, 10)."""
    spread = np.array([NOISE, NOISE, NOSE_NOISE, NOISE, NOISE])
    return np.diag(np.repeat(spread, 2) ** 2)


def fitted(seen: np.ndarray, model: np.ndarray) -> np.ndarray:
    """The camera, float64 (2, 4): seen = camera @ (x, y, z, 1).

    Args:
        seen: (5, 2) landmarks in millimetres, upright, with about the model's size and position
        model: (5, 3)
    """
    points = np.column_stack([model, np.ones(len(model))])
    design = np.zeros((2 * len(model), 8))
    design[0::2, :4] = design[1::2, 4:] = points
    before = np.array([1, 0, 0, 0, 0, 1, 0, 0], np.float64)
    spread = np.array([FLAT, FLAT, TURN, SHIFT] * 2)
    root = np.linalg.cholesky(covariance())  # whitens the errors, as in the paper
    rows = np.concatenate([np.linalg.solve(root, design), np.diag(1 / spread)])
    right = np.concatenate([np.linalg.solve(root, seen.ravel()), before / spread])
    return np.linalg.solve(rows.T @ rows, rows.T @ right).reshape(2, 4)
