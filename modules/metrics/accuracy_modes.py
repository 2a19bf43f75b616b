"""The different definitions of "accuracy on LFW" in use, computed from the same scores.

| mode | threshold of a fold | spread |
|---|---|---|
| ten_fold | exact optimum on the other folds | standard error, n - 1 |
| insightface | first best of 400 on the other folds, step 0.01 in squared distance | standard deviation, n |
| youden | the first of 1,000, lowest to highest score, with the largest TAR - FAR on the other folds | standard error, n - 1 |
| best_threshold | exact optimum on all pairs | none |
| facenet | as insightface | standard deviation, n |
| facenet_mean | as facenet, by angle, the other folds' mean embedding subtracted | standard deviation, n |

Scores are cosines. The folds are those of the protocol; public code splits the list into ten equal parts, which is the same on
LFW.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modules.metrics import public_evaluators
from modules.metrics.roc import Curve
from modules.metrics.validation import checked, held_out
from modules.metrics.verification import ten_fold_accuracy

LIST = np.arange(0, 4, 0.01)
FINE_LIST = np.arange(0, 4, 0.001)
FAR = 1e-3  # of VAL
DISTANCES = ("insightface", "facenet")  # modes of squared distances
ROUNDING = 1e-6  # cosines exceed 1 by no more
ERROR = "standard error"
DEVIATION = "standard deviation"

Mode = dict[str, Any]  # value, spread, spread_is, folds, thresholds; facenet also val


def ten_fold(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Mode:
    """The official LFW accuracy, see ``verification.ten_fold_accuracy``. Thresholds are cosines."""
    found = ten_fold_accuracy(scores, same, folds)
    return _mode(found["folds"], found["se"], ERROR, found["thresholds"])


def insightface(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Mode:
    """As InsightFace's ``verification.py``. Thresholds are squared distances."""
    scores, same = checked(scores, same)
    distances = public_evaluators.squared_distance(scores)
    return _listed(public_evaluators.per_fold(lambda _: distances, same, held_out(folds, len(same))))


def youden(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Mode:
    """As FaceX-Zoo's evaluator: a pair whose score equals the threshold always counts as wrong. Thresholds are cosines."""
    scores, same = checked(scores, same)
    scores = scores.astype(np.float64, copy=False)
    accuracies, thresholds = [], []
    for train, test in public_evaluators.per_fold(lambda _: scores, same, held_out(folds, len(same))):
        threshold = public_evaluators.youden(train)
        accuracies.append(float(np.mean(np.where(test[1], test[0] > threshold, test[0] < threshold))))
        thresholds.append(threshold)
    error = float(np.std(accuracies, ddof=1) / np.sqrt(len(accuracies)))
    return _mode(accuracies, error, ERROR, thresholds)


def best_threshold(scores: np.ndarray, same: np.ndarray, folds: np.ndarray | None = None) -> Mode:
    """Accuracy at the best threshold on the evaluated pairs themselves (Ito et al.); the folds are ignored."""
    correct, threshold = Curve.of(scores, same).best()
    return {"value": correct / len(scores), "spread": None, "spread_is": None, "folds": [], "thresholds": [threshold]}


def facenet(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Mode:
    """As FaceNet's public ``lfw.py`` with squared distances, where subtracting a mean has no effect.

    ``val``: mean and standard deviation (n) over the folds of VAL at the threshold interpolated for ``FAR`` on the other folds,
    and the mean FAR obtained; a null value and the reason if a fold lacks genuine or impostor pairs.
    """
    scores, same = checked(scores, same)
    distances = public_evaluators.squared_distance(scores)
    parts = public_evaluators.per_fold(lambda _: distances, same, held_out(folds, len(same)))
    return {**_listed(parts), "val": _val(parts)}


def facenet_mean(left: np.ndarray, right: np.ndarray, same: np.ndarray, folds: np.ndarray, subtract: bool = True) -> Mode:
    """As FaceNet's public ``lfw.py`` with angles; thresholds are angles / pi, so only a quarter of the list is used.

    Args:
        left: (n, D), embeddings of the pairs' first images.
        right: (n, D), embeddings of their second images.
        subtract: whether to subtract the other folds' mean embedding (images counted once per pair) from both.
    """
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    _, same = checked(np.einsum("nd,nd->n", left, right), same)

    def angles(train: np.ndarray) -> np.ndarray:
        mean = (left[train].mean(axis=0) + right[train].mean(axis=0)) / 2 if subtract else 0.0
        one, other = left - mean, right - mean
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        if not norms.all():
            raise ValueError(f"pair {np.flatnonzero(norms == 0)[0]} has an embedding of length 0, which has no direction")
        return public_evaluators.angle(np.einsum("nd,nd->n", one, other) / norms)

    parts = public_evaluators.per_fold(angles, same, held_out(folds, len(same)))
    return {**_listed(parts), "val": _val(parts)}


MODES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Mode]] = {
    "ten_fold": ten_fold,
    "insightface": insightface,
    "youden": youden,
    "best_threshold": best_threshold,
    "facenet": facenet,
}


def all_modes(
    scores: np.ndarray, same: np.ndarray, folds: np.ndarray, embeddings: tuple[np.ndarray, np.ndarray] | None = None
) -> dict[str, Mode]:
    """All modes on the same scores, each with ``difference``, its value minus that of ten_fold.

    Scores beyond -1 and 1 are no cosines: they have no squared distances, so ``insightface`` and ``facenet`` are left out.

    Args:
        scores: (n,) cosines, or other scores where a higher one is more similar.
        same: (n,) bool.
        folds: (n,) int.
        embeddings: (n, D) of the first and of the second images; adds ``facenet_mean``, which needs more than scores.
    """
    cosines = bool(np.abs(scores).max(initial=0.0) <= 1 + ROUNDING)
    found = {name: mode(scores, same, folds) for name, mode in MODES.items() if cosines or name not in DISTANCES}
    if embeddings is not None:
        found["facenet_mean"] = facenet_mean(*embeddings, same, folds)
    exact = found["ten_fold"]["value"]
    return {name: {**mode, "difference": mode["value"] - exact} for name, mode in found.items()}


def _listed(parts: Sequence[tuple[public_evaluators.Part, public_evaluators.Part]]) -> Mode:
    thresholds = [public_evaluators.first_best(train, LIST) for train, _ in parts]
    accuracies = [
        public_evaluators.accuracy_at(test, threshold) for (_, test), threshold in zip(parts, thresholds, strict=True)
    ]
    return _mode(accuracies, float(np.std(accuracies)), DEVIATION, thresholds)


def _val(parts: Sequence[tuple[public_evaluators.Part, public_evaluators.Part]]) -> dict[str, Any]:
    for place, (_, (_, same)) in enumerate(parts, 1):
        if same.all() or not same.any():
            reason = f"fold {place} of {len(parts)} has no {'impostor' if same.all() else 'genuine'} pairs"
            return {"value": None, "spread": None, "spread_is": DEVIATION, "far": None, "target": FAR, "reason": reason}
    found = [public_evaluators.val_at(test, public_evaluators.interpolated(train, FINE_LIST, FAR)) for train, test in parts]
    vals, fars = zip(*found, strict=True)
    return {
        "value": float(np.mean(vals)),
        "spread": float(np.std(vals)),
        "spread_is": DEVIATION,
        "far": float(np.mean(fars)),
        "target": FAR,
    }


def _mode(accuracies: Sequence[float], spread: float, spread_is: str, thresholds: Sequence[float]) -> Mode:
    found = {"value": float(np.mean(accuracies)), "spread": spread, "spread_is": spread_is}
    return found | {"folds": list(accuracies), "thresholds": list(thresholds)}
