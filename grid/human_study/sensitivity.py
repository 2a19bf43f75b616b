"""Signal detection measures of a participant in one pass: d', criterion, and the ROC curve of the five choices."""

from __future__ import annotations

import numpy as np

from grid.human_study.choices import judged_same, similarity
from modules.metrics.roc import Curve


def d_prime(choices: np.ndarray, same: np.ndarray) -> np.ndarray:
    """float64 (..., 2): d' and the criterion c, from hits ("same" of genuine pairs) and false alarms (of impostor pairs).

    A half is added to each count and 1 to each number of pairs, so that both are finite for perfect participants (the
    log-linear rule: Hautus, Behavior Research Methods, Instruments & Computers 27, 1995). c above 0 means a tendency to say
    "different".

    Args:
        choices: (..., N), from 1 to 5
        same: bool (N,), with pairs of both kinds
    """
    from scipy.special import ndtri

    said = judged_same(choices)
    hits = (said[..., same].sum(axis=-1) + 0.5) / (same.sum() + 1)
    alarms = (said[..., ~same].sum(axis=-1) + 0.5) / ((~same).sum() + 1)
    z_hits, z_alarms = ndtri(hits), ndtri(alarms)
    return np.stack([z_hits - z_alarms, -(z_hits + z_alarms) / 2], axis=-1)


def roc(choices: np.ndarray, same: np.ndarray) -> Curve:
    """The ROC curve of one participant and pass: at most six points, one between every two choices that were used.

    Args:
        choices: (N,), from 1 to 5
        same: bool (N,), with pairs of both kinds
    """
    return Curve.of(similarity(choices), same)
