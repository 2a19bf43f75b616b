"""Error rates of a cell with their thresholds, thinned to what ROC and DET curves can show."""

from __future__ import annotations

from typing import Any

import numpy as np

from grid.report.curves import kept
from modules.metrics.roc import Curve

STEPS = (1 / 300, 1 / 150, 1 / 75, 1 / 40, 1 / 20, 1 / 10)  # fractions of a plot's side, from fine to coarse
DIGITS = 5


def curve_points(curve: Curve, most: int) -> dict[str, list[float | None]]:
    """Points of the exact curve by decreasing threshold: ``far``, ``tar`` and ``threshold``; nothing is interpolated.

    A point is kept if the ROC curve on a linear or a logarithmic FAR axis, or the DET curve, needs it.

    Args:
        most: number of points that are enough; a coarser step is taken for more, 1 / 10 of the plot's side at most.

    Returns:
        ``threshold`` begins with None: no score is accepted there.
    """
    from scipy.special import ndtri

    far, tar = curve.far, curve.tar
    floor = 0.5 / max(curve.genuine, curve.impostor)
    deviates = [ndtri(np.clip(rate, floor, 1 - floor)) for rate in (far, tar)]
    low, high = ndtri(floor), ndtri(1 - floor)
    views = [
        (far, tar),
        (1 - np.log10(np.maximum(far, floor)) / np.log10(floor), tar),
        tuple((one - low) / (high - low) for one in deviates),
    ]
    for step in STEPS:
        index = np.unique(np.concatenate([kept(x, y, step) for x, y in views]))
        if len(index) <= most:
            break
    thresholds = [None if np.isinf(one) else rounded(one) for one in curve.thresholds[index]]
    return {"far": [rounded(one) for one in far[index]], "tar": [rounded(one) for one in tar[index]], "threshold": thresholds}


def rounded(value: Any) -> float:
    """The number with as many digits as a chart can show, so that the page stays small."""
    return float(f"{float(value):.{DIGITS}g}")
