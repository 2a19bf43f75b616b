"""The five choices of a trial, and the judgment that each of them counts as.

The rule is that of O'Toole, Phillips, Jiang, Ayyad, Penard and Abdi ("Face Recognition Algorithms Surpass Humans Matching Faces
Over Changes in Illumination", IEEE TPAMI 29(9), 2007), which Zhong and Deng (ICPR 2018, Section V.B) follow.
"""

from __future__ import annotations

import numpy as np

CHOICES = (
    "Surely the same person",
    "Probably the same person",
    "I cannot tell",
    "Probably different people",
    "Surely different people",
)
SAME = 2  # choices 1 and 2 are judged "same", choices 3, 4 and 5 "different"


def judged_same(choices: np.ndarray) -> np.ndarray:
    """bool: the judgments that choices from 1 to 5 count as."""
    found: np.ndarray = choices <= SAME
    return found


def similarity(choices: np.ndarray) -> np.ndarray:
    """float64: choices as scores, larger for "same", so that a ROC curve has a point between every two choices."""
    return np.asarray(len(CHOICES) - choices, np.float64)
