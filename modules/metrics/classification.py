"""Metrics of a classification, from its confusion matrix, each with a 95 % interval.

Precision, recall and F1 of each class, accuracy, balanced accuracy (mean recall) and macro F1 (mean F1) are those of
scikit-learn's ``classification_report`` and ``balanced_accuracy_score``. A rate without images (the recall of a class that no
image has, the precision of a class that is never predicted) has no value and is left out of means.

Intervals. Accuracy, recall and precision are proportions. F1 = 2 J / (1 + J) is a monotonic function of the proportion J =
TP / (TP + FP + FN), so the interval of J gives that of F1. Over independent images, the interval of a proportion is Wilson's.
Where subjects are known, they are resampled, and the interval is Wilson's at the effective sample size
(``intervals.effective``). Means combine the intervals of their parts, with the correlations over the resamples
(``intervals.mean_of_shares``). No interval has width 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.metrics.intervals import mean_of_shares
from modules.metrics.unit_bootstrap import INDEPENDENT, Draws, correlations

Entry = dict[str, Any]


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts int64 (classes, classes): row true class, column predicted class.

    Args:
        truth: int (N,), from 0 to classes - 1
        predicted: int (N,)
        classes: number of classes
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    assert truth.shape == predicted.shape, (truth.shape, predicted.shape)
    assert ((truth >= 0) & (truth < classes) & (predicted >= 0) & (predicted < classes)).all(), "classes out of range"
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def cell_terms(truth: np.ndarray, predicted: np.ndarray, classes: int) -> Any:
    """Sparse matrix (N, classes * classes): a one in each image's place in the flat confusion matrix."""
    from scipy import sparse

    cells = np.asarray(truth) * classes + np.asarray(predicted)
    return sparse.csr_matrix(
        (np.ones(len(cells)), (np.arange(len(cells)), cells)), shape=(len(cells), classes * classes)
    )  # dense, 100 classes would be 10,000 numbers per image


@dataclass(frozen=True)
class Rates:
    """Numerators and denominators of all proportions, each (..., K) or (...,), of confusion matrices (..., K, K)."""

    confusion: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        return np.diagonal(self.confusion, axis1=-2, axis2=-1)

    @property
    def support(self) -> np.ndarray:
        return self.confusion.sum(-1)

    @property
    def predicted(self) -> np.ndarray:
        return self.confusion.sum(-2)

    @property
    def total(self) -> np.ndarray:
        return self.confusion.sum((-2, -1))

    @property
    def accuracy(self) -> np.ndarray:
        return _divided(self.hits.sum(-1), self.total)

    @property
    def recall(self) -> np.ndarray:
        return _divided(self.hits, self.support)

    @property
    def precision(self) -> np.ndarray:
        return _divided(self.hits, self.predicted)

    @property
    def union(self) -> np.ndarray:
        """TP + FP + FN of each class."""
        return self.support + self.predicted - self.hits

    @property
    def jaccard(self) -> np.ndarray:
        return _divided(self.hits, self.union)

    @property
    def f1(self) -> np.ndarray:
        return f1_of(self.jaccard)

    def within(self, distance: int) -> np.ndarray:
        """Number of images whose predicted class is at most ``distance`` classes from the true one."""
        place = np.arange(self.confusion.shape[-1])
        near = np.abs(place[:, None] - place) <= distance
        return np.asarray((self.confusion * near).sum((-2, -1)))


def f1_of(jaccard: Any) -> Any:
    """2 J / (1 + J)."""
    return 2 * jaccard / (1 + jaccard)


def classification(
    truth: np.ndarray, predicted: np.ndarray, classes: int, draws: Draws = INDEPENDENT, *, ordered: bool = False
) -> dict[str, Any]:
    """All metrics of a classification.

    Args:
        truth: int (N,), the true classes; N at least 1
        predicted: int (N,)
        classes: number of classes
        draws: how the images are resampled
        ordered: the classes have an order; adds ``off_by_one``, the share of images whose predicted class is the true one or
            next to it

    Returns:
        ``accuracy``, ``balanced_accuracy``, ``macro_f1`` and perhaps ``off_by_one``: entries with ``value``, ``low`` and
        ``high``; ``classes``: for each class ``precision``, ``recall``, ``f1`` (entries), ``support`` and ``predicted``
        (counts); ``confusion``: the counts, row by row
    """
    counts = confusion_matrix(truth, predicted, classes)
    assert counts.sum() > 0, "no image"
    drawn = Rates(draws.sums(cell_terms(truth, predicted, classes)).reshape(-1, classes, classes))
    rates = Rates(counts)
    shares = _Shares(np.asarray(truth), np.asarray(predicted), draws)
    everyone = np.ones(len(truth), bool)
    per_class: list[dict[str, Any]] = [
        {
            "recall": shares.entry(rates.hits[k], rates.support[k], drawn.recall[:, k], shares.truth == k, "no image has it"),
            "precision": shares.entry(
                rates.hits[k], rates.predicted[k], drawn.precision[:, k], shares.predicted == k, "never predicted"
            ),
            "f1": shares.f1(rates, drawn, k),
            "support": int(rates.support[k]),
            "predicted": int(rates.predicted[k]),
        }
        for k in range(classes)
    ]
    found: dict[str, Any] = {
        "accuracy": shares.entry(rates.hits.sum(), rates.total, drawn.accuracy, everyone),
        "balanced_accuracy": _mean([one["recall"] for one in per_class], drawn.recall, shares.method),
        "macro_f1": _mean([one["f1"] for one in per_class], drawn.f1, shares.method),
    }
    if ordered:
        found["off_by_one"] = shares.entry(rates.within(1), rates.total, _divided(drawn.within(1), drawn.total), everyone)
    return found | {"classes": per_class, "confusion": counts.tolist()}


@dataclass(frozen=True)
class _Shares:
    truth: np.ndarray
    predicted: np.ndarray
    draws: Draws

    @property
    def method(self) -> str:
        return "Wilson" if self.draws.subjects is None else self.draws.method

    def entry(self, hits: Any, total: Any, drawn: np.ndarray, among: np.ndarray, empty: str = "") -> Entry:
        hits, total = float(hits), float(total)
        if total == 0:
            return {"value": None, "low": None, "high": None, "n": 0, "reason": empty}
        low, high = self.draws.of(among).share_interval(hits, total, drawn)
        return {"value": hits / total, "low": low, "high": high, "n": int(total), "method": self.method}

    def f1(self, rates: Rates, drawn: Rates, k: int) -> Entry:
        among = (self.truth == k) | (self.predicted == k)
        found = self.entry(
            rates.hits[k], rates.union[k], drawn.jaccard[:, k], among, "no image has it, and it is never predicted"
        )
        if found["value"] is not None:
            found |= {key: float(f1_of(found[key])) for key in ("value", "low", "high")}
        return found


def _mean(entries: list[Entry], drawn: np.ndarray, method: str) -> Entry:
    """The mean over the classes that have a value."""
    there = [k for k, one in enumerate(entries) if one["value"] is not None]
    values, lows, highs = (np.array([entries[k][key] for k in there]) for key in ("value", "low", "high"))
    low, high = mean_of_shares(values, lows, highs, correlations(drawn[:, there]))
    return {"value": float(values.mean()), "low": low, "high": high, "n": len(there), "method": f"{method}, over classes"}


def _divided(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / total)
