"""Whether a score of explanations can be trusted: does it rank the maps of several methods as the ground truth does?

A score that needs no ground truth, such as the hiding game, is useful where the ground truth is unknown. Where it is known, for
example on pairs that differ in one region, both rank the same maps, and Spearman's correlation of the two lists of means says
how far they agree.

Two kinds of chance can make a correlation. Few pairs make all means uncertain: the interval is a percentile bootstrap over
subjects. Few methods may be in the same order by luck: the p value is that of a permutation test over methods (exact up to
seven). Noise in either list lowers the correlation, so an interval around 0 may also mean that there are too few pairs; how
well two halves of the subjects agree on the ground truth alone (``repeats``) shows how much of this there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from modules.metrics.intervals import percentiles
from modules.metrics.pair_rates import connected
from modules.metrics.ranking import ranks
from modules.metrics.subject_bootstrap import times_drawn

FEWEST = 5  # methods: among four, even the same order has p = 2 / 24
GROUPS = 10  # fewest independent groups of subjects that are drawn as wholes
EXACT = 7  # methods up to which all orders are counted
HALVES = 100  # random halves of the subjects
ALPHA = 0.05

AGREES, REVERSED, UNCLEAR, TOO_FEW = "agrees", "reversed", "unclear", "too few methods"


@dataclass(frozen=True)
class Units:
    """What is drawn for n pairs: subjects, or groups of subjects that share no pair with other groups.

    Attributes:
        left, right: int (n,), the units of each pair; equal if it belongs to one unit only
        count: number of units
    """

    left: np.ndarray
    right: np.ndarray
    count: int

    @staticmethod
    def of(left: Any, right: Any) -> Units:
        """What is drawn for pairs whose first and second images are of these subjects, (n,) each.

        Subjects that pairs link, directly or through others, are a group, such as a subject and its look-alikes. Each pair
        belongs to one group, so the groups are independent, and they are drawn if there are at least ``GROUPS``. Otherwise
        subjects are drawn, and a pair of two subjects counts as often as the product of both says (the pigeonhole bootstrap:
        Owen, AoAS 1, 2007). Then intervals can be too wide; nothing corrects for it, as ``subject_bootstrap`` does.
        """
        assert len(left) == len(right) > 0, (len(left), len(right))
        names, who = np.unique(np.concatenate([np.asarray(left), np.asarray(right)]), return_inverse=True)
        one, other = who[: len(left)], who[len(left) :]
        count, group = connected(one, other, len(names))
        if count >= GROUPS:
            return Units(group[one], group[other], count)
        return Units(one, other, len(names))

    def weights(self, times: np.ndarray) -> np.ndarray:
        """The weight of each pair (rows, n) from how often each unit counts, (rows, units)."""
        return times[:, self.left] * np.where(self.left == self.right, 1, times[:, self.right])


def score_agreement(
    score: np.ndarray, truth: np.ndarray, left: Any, right: Any, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """How well a score and the ground truth agree on the order of M maps; a JSON value.

    Args:
        score: float (M, n), the score of each map on each pair, higher is better; NaN where it has none
        truth: float (M, n), the same of the ground truth
        left, right: (n,), the subjects of the pairs' first and second images
        resamples: of the bootstrap; at least 2
        seed: of the bootstrap, the halves and the sampled permutations

    Returns:
        ``maps``, and ``pairs`` that have a ground truth: how many there are; ``units``, how many subjects or groups are drawn;
        ``value``, Spearman's correlation of the means, with ``low`` and ``high``; ``p``, two-sided; ``within``: ``value``,
        ``low``, ``high`` of the mean correlation over single pairs, and ``pairs``, how many have one; ``repeats``, the mean
        correlation of the ground truth between halves; ``verdict``.
        Numbers that are undefined are None: all means are equal, or a map has no value at all.

    Raises:
        ValueError: shapes differ, or a value is infinite.
    """
    score, truth = (np.asarray(values, np.float64) for values in (score, truth))
    if score.shape != truth.shape or score.ndim != 2 or score.shape[1] != len(left) or len(left) != len(right):
        raise ValueError(
            f"score and truth are (maps, pairs), with the subjects of the pairs beside them; found {score.shape} and "
            f"{truth.shape} for {len(left)} and {len(right)} subjects"
        )
    if np.isinf(score).any() or np.isinf(truth).any():
        raise ValueError("score and truth are numbers, or NaN where there is none; found infinity")
    units = Units.of(left, right)
    drawn = units.weights(times_drawn(np.random.default_rng([seed, 0]), units.count, resamples))
    means = [_means(values, np.ones((1, len(left)))) for values in (score, truth)]
    value = _number(_correlations(*means))
    found: dict[str, Any] = {
        "maps": len(score),
        "pairs": int(np.isfinite(truth).any(axis=0).sum()),
        "units": units.count,
        "value": value,
        "low": None,
        "high": None,
        "p": None if value is None else permutation_p(*(np.round(one[0], 12) for one in means), seed=seed),
        "within": _within(score, truth, drawn),
        "repeats": _repeats(truth, units, seed),
    }
    resampled = _correlations(_means(score, drawn), _means(truth, drawn))
    if value is not None and np.isfinite(resampled).sum() > resamples / 2:
        found["low"], found["high"] = percentiles(resampled)
    return {**found, "verdict": _verdict(found)}


def permutation_p(one: np.ndarray, other: np.ndarray, *, samples: int = 9999, seed: int = 0) -> float:
    """Two-sided p value of Spearman's correlation of two lists (M,): the share of orders that correlate at least as much.

    All orders count up to ``EXACT`` numbers; beyond, ``samples`` random ones and the order found (Phipson and Smyth, 2010).
    """
    a, b = (ranks(values) - (len(values) + 1) / 2 for values in (one, other))
    if len(a) <= EXACT:
        orders = b[np.array(list(permutations(range(len(b)))))]
    else:
        generator = np.random.default_rng([seed, 1])
        orders = np.stack([b, *(generator.permutation(b) for _ in range(samples))])
    return float((np.abs(orders @ a) >= abs(a @ b) - 1e-9).mean())


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means (rows, M) of values (M, n) over the pairs that have one; NaN where none counts."""
    there = np.isfinite(values)
    total = weights @ there.T.astype(np.float64)
    sums = weights @ np.where(there, values, 0.0).T
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's correlations (rows,) of the rows of two arrays (rows, M); NaN where a number is missing or all are equal."""
    a, b = (_row_ranks(np.round(values, 12)) for values in (one, other))  # sums in another order differ in their last digits
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    fine = (lengths > 0) & np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    return np.divide((a * b).sum(axis=1), lengths, out=np.full(len(a), np.nan), where=fine)


def _row_ranks(values: np.ndarray) -> np.ndarray:
    """``ranks`` of each row (rows, M), by counting: M is small."""
    below, equal = (compare(values[:, None, :], values[:, :, None]).sum(axis=2) for compare in (np.less, np.equal))
    return below + (equal + 1) / 2


def _number(values: np.ndarray) -> float | None:
    return float(values[0]) if np.isfinite(values[0]) else None


def _within(score: np.ndarray, truth: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    """The mean correlation within single pairs. Pairs for which all maps are equal in the score or the truth have none."""
    single = _correlations(score.T, truth.T)[None]
    known = int(np.isfinite(single).sum())
    if not known:
        return {"value": None, "low": None, "high": None, "pairs": 0}
    low, high = percentiles(_means(single, drawn)[:, 0])
    return {"value": float(np.nanmean(single)), "low": low, "high": high, "pairs": known}


def _repeats(truth: np.ndarray, units: Units, seed: int) -> float | None:
    generator = np.random.default_rng([seed, 2])
    halves = np.stack([generator.permutation(units.count) < units.count // 2 for _ in range(HALVES)])
    found = _correlations(*(_means(truth, units.weights(half.astype(np.int64))) for half in (halves, ~halves)))
    return float(np.nanmean(found)) if np.isfinite(found).sum() > HALVES / 2 else None


def _verdict(found: dict[str, Any]) -> str:
    if found["maps"] < FEWEST:
        return TOO_FEW
    if found["low"] is None or found["p"] >= ALPHA:
        return UNCLEAR
    return AGREES if found["low"] > 0 else REVERSED if found["high"] < 0 else UNCLEAR
