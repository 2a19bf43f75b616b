"""Verification metrics by their keys: the number alone, without intervals."""

from __future__ import annotations

import numpy as np

from modules.metrics.roc import Curve
from modules.metrics.verification import ten_fold_accuracy


def pair_value(key: str, scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> float:
    """A metric of n pairs.

    Args:
        key: ``best_threshold``, ``ten_fold``, ``eer``, ``auc`` or ``val:<far>``.
        scores, same, folds: (n,)

    Raises:
        ValueError: there is no such metric; see also ``validation.checked``.
    """
    if key == "ten_fold":
        return float(ten_fold_accuracy(scores, same, folds)["value"])
    curve = Curve.of(scores, same)
    if key == "best_threshold":
        return curve.best()[0] / curve.pairs
    if key == "eer":
        return curve.eer()[0]
    if key == "auc":
        return curve.auc()
    if key.startswith("val:"):
        return curve.val(float(key.removeprefix("val:")))[0]
    raise ValueError(f"no metric {key!r} of pairs; there are best_threshold, ten_fold, eer, auc and val:<far>")
