"""Verification metrics: how well scores separate genuine from impostor pairs. Exact, by sorting, in O(n log n).

A pair is accepted if score >= threshold; equal scores are accepted together. FAR is the fraction of impostor pairs accepted,
TAR that of genuine pairs, FRR = 1 - TAR. Intervals are 95 % intervals, computed in ``intervals.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modules.metrics import intervals
from modules.metrics.decision_outcomes import OUTCOMES, outcomes
from modules.metrics.roc import Curve
from modules.metrics.subject_bootstrap import subject_bootstrap
from modules.metrics.validation import checked, held_out

SUBJECT_BOOTSTRAP = "subject bootstrap"
SUBJECT_JACKKNIFE = "subject jackknife"  # of the AUC, see ``auc_interval``
METHODS = {  # key of an interval in ``verification`` -> its ``method`` name
    "wilson": "Wilson, independent pairs",
    "student": "Student's t, over folds",
    "pair_bootstrap": "bootstrap, independent pairs",
    "delong": "DeLong, independent pairs",
}


def ten_fold_accuracy(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> dict[str, Any]:
    """Cross-validated accuracy: each fold is evaluated at the best threshold on all other folds (``Curve.best``).

    Args:
        scores: (n,) float, higher is more similar.
        same: (n,) bool.
        folds: (n,) int; usually ten distinct values, but any number is allowed.

    Returns:
        ``value`` (mean over folds), ``low`` and ``high`` by ``method`` (Student's t over folds), ``se`` (standard error over
        folds: standard deviation with n - 1, divided by the root of the number of folds), ``folds`` and ``thresholds`` in the
        order of the fold numbers.

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
    return over_folds(accuracies, thresholds, len(scores))


def over_folds(accuracies: list[float], thresholds: list[float], pairs: int) -> dict[str, Any]:
    """The entry of an accuracy over folds: see ``ten_fold_accuracy``; ``pairs`` of all folds together."""
    value, error, low, high = intervals.student(accuracies, pairs)
    found = {"value": value, "low": low, "high": high, "method": METHODS["student"], "se": error}
    return found | {"folds": accuracies, "thresholds": thresholds}


def verification(
    scores: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    fars: Sequence[float] = (1e-1, 1e-2, 1e-3),
    *,
    subjects: tuple[np.ndarray, np.ndarray] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """All verification metrics of one protocol, as a JSON value.

    Each metric has ``value`` and a 95 % interval from ``low`` to ``high``, whose ``method`` is "subject bootstrap" if subjects
    are known and there are enough of them. Otherwise it is that of independent pairs or folds, which is too narrow if pairs
    share subjects; ``subjects`` gives the reason. The other intervals are always included under their own names: ``wilson``,
    ``student``, ``delong``, ``pair_bootstrap``. None has width 0. ``se`` of the ten-fold accuracy is a standard error over
    folds, not half an interval.

    Args:
        scores: (n,) float, higher is more similar.
        same: (n,) bool.
        folds: (n,) int.
        fars: targets of ``val``; one below 1 / impostors gets a null value and a reason.
        subjects: (n,) int or text each, the subjects of the pairs' first and second images.
        resamples: number of resamples of both bootstraps, which take O(resamples x n) steps.
        seed: of both bootstraps.

    Raises:
        ValueError: a score is not finite (reports the row), or there are fewer than two genuine or two impostor pairs.
    """
    scores, same = checked(scores, same)
    curve = Curve.of(scores, same)
    if min(curve.genuine, curve.impostor) < 2:
        raise ValueError(f"intervals need two pairs of each kind; found {curve.genuine} genuine and {curve.impostor} impostor")
    correct, threshold = curve.best()
    possible = [far for far in fars if far >= 1 / curve.impostor]
    eer_interval, val_intervals = intervals.bootstrap(curve, possible, resamples, seed)
    rate, rate_threshold = curve.eer()
    counts = np.bincount(outcomes(scores, same, threshold), minlength=len(OUTCOMES)).tolist()
    ten_fold = ten_fold_accuracy(scores, same, folds)
    metrics: dict[str, Any] = {
        "best_threshold": _entry(correct / curve.pairs, "wilson", intervals.wilson(correct, curve.pairs), threshold=threshold),
        "ten_fold": ten_fold | {"student": {"low": ten_fold["low"], "high": ten_fold["high"]}},
        "eer": _entry(rate, "pair_bootstrap", eer_interval, threshold=rate_threshold),
        "auc": _entry(curve.auc(), "delong", intervals.delong(scores, same)),
        "val": {f"{far:g}": _val(curve, far, val_intervals.get(far)) for far in fars},
    }
    if subjects is not None:
        metrics["subjects"] = _over_subjects(metrics, scores, same, folds, subjects, possible, resamples, seed)
    return {
        "pairs": curve.pairs,
        "genuine": curve.genuine,
        "impostor": curve.impostor,
        **metrics,
        "confusion": {
            "threshold": threshold,
            **{name.replace(" ", "_"): count for name, count in zip(OUTCOMES, counts, strict=True)},
        },
    }


def _over_subjects(
    metrics: dict[str, Any],
    scores: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    subjects: tuple[np.ndarray, np.ndarray],
    fars: Sequence[float],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Replaces the intervals in ``metrics`` by those of the subject bootstrap; returns the number of subjects, or why not."""
    try:
        found = subject_bootstrap(scores, same, *subjects, folds=folds, fars=fars, resamples=resamples, seed=seed)
    except ValueError as error:  # too few subjects, or a list whose subjects are unknown
        return {"reason": str(error)}
    ends = [(metrics[name], getattr(found, name)) for name in ("best_threshold", "ten_fold", "eer", "auc")]
    ends += [(metrics["val"][f"{far:g}"], found.val[far]) for far in fars]
    for entry, (low, high) in ends:
        entry |= {"low": low, "high": high, "method": SUBJECT_BOOTSTRAP}
    metrics["auc"]["method"] = SUBJECT_JACKKNIFE
    return {"subjects": found.subjects, "resamples": found.resamples}


def _entry(value: float, method: str, ends: tuple[float, float], **more: float) -> dict[str, Any]:
    """A metric with the interval of ``method``, which the subject bootstrap may replace later."""
    low, high = ends
    return {"value": value, "low": low, "high": high, "method": METHODS[method], **more, method: {"low": low, "high": high}}


def _val(curve: Curve, far: float, ends: tuple[float, float] | None) -> dict[str, Any]:
    if ends is None:
        reason = f"{curve.impostor} impostor pairs cannot show a FAR of {far:g}: one of them is {1 / curve.impostor:g}"
        return {"value": None, "low": None, "high": None, "threshold": None, "far": None, "reason": reason}
    value, threshold, found = curve.val(far)
    return _entry(value, "pair_bootstrap", ends, threshold=threshold, far=found)
