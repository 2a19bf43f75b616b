"""Theta of Zhong and Deng ("Deep Difference Analysis in Similar-looking Face recognition", ICPR 2018, Section III-B).

The paper requires that the largest Delta of every impostor pair of a reference set is above Theta and that of every genuine
pair is below it. If the two distributions overlap, no such threshold exists; we take the one with the highest Youden index
(1950).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from modules.metrics.roc import Curve

BIN = 0.001  # of the paper's histogram


@dataclass(frozen=True)
class Theta:
    """Attributes:
    value: the threshold on the largest Delta of a pair; beyond means at or above it
    youden: fraction of the higher kind beyond Theta minus that of the lower kind; 1 if they are separated, 0 if Theta does not
        discriminate
    higher_short: fraction of the higher kind that is not beyond Theta
    lower_beyond: fraction of the lower kind that is beyond Theta
    auc: probability that a pair of the higher kind has the larger maximum
    overlap: fraction of all pairs between the smallest of the higher kind and the largest of the lower kind, inclusive
    """

    value: float
    youden: float
    higher_short: float
    lower_beyond: float
    auc: float
    overlap: float


def find(maxima: np.ndarray, same: np.ndarray, higher: Literal["impostor", "genuine"] = "impostor") -> Theta:
    """Theta from the largest Delta of each reference pair (M,), and whether the pair is genuine (M,).

    Theta lies midway between two maxima. Among equally good thresholds the highest is taken, which highlights least.

    Raises:
        ValueError: there are no genuine or no impostor pairs, or a maximum is not finite.
    """
    same = np.asarray(same).astype(bool)
    if same.all() or not same.any():
        raise ValueError(f"{int(same.sum())} of {len(same)} reference pairs are genuine; Theta needs both kinds")
    high = same == (higher == "genuine")
    curve = Curve.of(maxima, high)
    gain = curve.accepted * curve.impostor - curve.false * curve.genuine  # Youden's index times both counts, exact in integers
    index = int(np.argmax(gain))
    low_end, high_end = maxima[high].min(), maxima[~high].max()
    return Theta(
        curve.middle(index),
        int(gain[index]) / (curve.genuine * curve.impostor),
        1 - float(curve.tar[index]),
        float(curve.far[index]),
        curve.auc(),
        float(((maxima >= low_end) & (maxima <= high_end)).mean()),
    )


def normalized(delta: np.ndarray, theta: float) -> np.ndarray:
    """Equation 1: max(0, min(1, Delta / Theta)); ``theta`` is above 0."""
    assert theta > 0, theta
    return np.clip(delta / theta, 0, 1)


def histogram(deltas: np.ndarray, width: float = BIN) -> list[int]:
    """Counts of values in [0, width), [width, 2 width), ... up to the last non-empty bin; negative values count as 0."""
    return np.bincount((np.maximum(deltas, 0) / width).astype(np.int64).ravel()).tolist() if deltas.size else []
