"""How well scores tell genuine from impostor pairs: exact, by sorting, in O(n log n).

A pair is accepted if score >= threshold; equal scores are accepted together. FAR is the accepted share of impostor pairs,
TAR that of genuine pairs, FRR = 1 - TAR. Intervals are at 95 %, and stand in ``intervals.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modules.metrics import intervals
from modules.metrics.curve import Curve
from modules.metrics.scored import checked, held_out

__all__ = ["Curve", "auc", "eer", "oracle_accuracy", "roc", "tenfold_accuracy", "val_at_far", "verification"]


def roc(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(far, tar, thresholds): a point per distinct score, from accepting none (0, 0, inf) to accepting all (1, 1, lowest)."""
    curve = Curve.of(scores, same)
    return curve.far, curve.tar, curve.thresholds


def auc(scores: np.ndarray, same: np.ndarray) -> float:
    """Share of (genuine, impostor) combinations with the genuine pair's score above; equal scores count a half."""
    return Curve.of(scores, same).auc()


def eer(scores: np.ndarray, same: np.ndarray) -> float:
    """The rate at which FAR equals FRR.

    Where no threshold gives equality, it is read off the straight line between the two ROC points around it, in FAR and FRR.
    """
    return Curve.of(scores, same).eer()[0]


def oracle_accuracy(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """(accuracy, threshold) of the threshold that is best on these very pairs; see ``Curve.best``."""
    correct, threshold = Curve.of(scores, same).best()
    return correct / len(scores), threshold


def val_at_far(scores: np.ndarray, same: np.ndarray, far: float) -> tuple[float, float, float]:
    """(TAR, threshold, FAR found) at the lowest threshold whose FAR does not exceed ``far``."""
    return Curve.of(scores, same).val(far)


def tenfold_accuracy(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> dict[str, Any]:
    """Cross-validated accuracy: each fold is judged by the threshold that is best on all other folds (``Curve.best``).

    Args:
        scores: (n,) float, higher is more similar.
        same: (n,) bool.
        folds: (n,) int, usually ten values; the number of distinct ones counts.

    Returns:
        ``value`` (mean over folds), ``se`` (standard deviation with n - 1, over the root of the number of folds), ``low`` and
        ``high`` (Student's t), ``folds`` and ``thresholds`` in the order of the fold numbers.

    Raises:
        ValueError: there is only one fold, or the other folds lack genuine or impostor pairs.
    """
    scores, same = checked(scores, same)
    order = np.argsort(-scores, kind="stable")
    held_folds = [held[order] for held in held_out(folds, len(scores))]
    scores, same = scores[order], same[order]
    accuracies, thresholds = [], []
    for held in held_folds:
        _, threshold = Curve.of_sorted(scores[~held], same[~held]).best()
        accuracies.append(float(np.mean((scores[held] >= threshold) == same[held])))
        thresholds.append(threshold)
    value, error, low, high = intervals.student(accuracies)
    return {"value": value, "se": error, "low": low, "high": high, "folds": accuracies, "thresholds": thresholds}


def verification(
    scores: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    fars: Sequence[float] = (1e-1, 1e-2, 1e-3),
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every number of one protocol, as a JSON value.

    Args:
        scores: (n,) float, higher is more similar.
        same: (n,) bool.
        folds: (n,) int.
        fars: targets of ``val``; one below 1 / impostors gets a null value and a reason.
        resamples: of the bootstrap for EER and VAL, which takes O(resamples x n) steps.
        seed: of the bootstrap.

    Raises:
        ValueError: a score is no finite number (names the row), or fewer than two pairs are genuine or impostor.
    """
    scores, same = checked(scores, same)
    curve = Curve.of(scores, same)
    if min(curve.genuine, curve.impostor) < 2:
        raise ValueError(f"intervals need two pairs of each kind; found {curve.genuine} genuine and {curve.impostor} impostor")
    correct, threshold = curve.best()
    low, high = intervals.wilson(correct, curve.pairs)
    area_low, area_high = intervals.delong(scores, same)
    possible = [far for far in fars if far >= 1 / curve.impostor]
    eer_interval, val_intervals = intervals.bootstrap(curve, possible, resamples, seed)
    rate, rate_threshold = curve.eer()
    accepted = scores >= threshold
    return {
        "pairs": curve.pairs,
        "genuine": curve.genuine,
        "impostor": curve.impostor,
        "oracle": {"value": correct / curve.pairs, "low": low, "high": high, "threshold": threshold},
        "tenfold": tenfold_accuracy(scores, same, folds),
        "eer": {"value": rate, "low": eer_interval[0], "high": eer_interval[1], "threshold": rate_threshold},
        "auc": {"value": curve.auc(), "low": area_low, "high": area_high},
        "val": {f"{far:g}": _val(curve, far, val_intervals.get(far)) for far in fars},
        "confusion": {
            "threshold": threshold,
            "true_accept": int((accepted & same).sum()),
            "false_reject": int((~accepted & same).sum()),
            "false_accept": int((accepted & ~same).sum()),
            "true_reject": int((~accepted & ~same).sum()),
        },
    }


def _val(curve: Curve, far: float, interval: tuple[float, float] | None) -> dict[str, Any]:
    if interval is None:
        reason = f"{curve.impostor} impostor pairs cannot show a FAR of {far:g}: one of them is {1 / curve.impostor:g}"
        return {"value": None, "low": None, "high": None, "threshold": None, "far": None, "reason": reason}
    value, threshold, found = curve.val(far)
    return {"value": value, "low": interval[0], "high": interval[1], "threshold": threshold, "far": found}
