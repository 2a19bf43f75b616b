"""95 % confidence intervals for pairs that share subjects, by resampling subjects instead of pairs.

Pairs of the same subject are correlated, so a bootstrap over pairs gives intervals that are too narrow. Here subjects are
drawn with replacement. An impostor pair is weighted by the mean of the numbers of times its two subjects were drawn, a genuine
pair by the mean of that of its subject and 1. These weights move half as much as those of independent draws, so the variance
over the resamples is multiplied by four (``SCALE``). It is then that of the sums of influences per subject, which is too small
by the share of pairs that a subject takes part in (``ResampledUnits.unbiased``).

Weights that are products (McCullagh: Resampling and exchangeable arrays. Bernoulli 6, 2000; Owen: The pigeonhole bootstrap.
AoAS 1, 2007) count threefold what impostor pairs of the same two subjects add on their own (Owen, theorem 2); sums count it
twice, once for each of the two subjects. A second bootstrap, over pairs of subjects, estimates it, and it is subtracted once.
For a mean this gives the cluster-robust variance of dyadic data (Aronow, Samii and Assenova, Political Analysis 23, 2015),
which ``pair_rates`` has in closed form. With more than a million impostor pairs nothing is subtracted: few of their errors are
independent, and the intervals can only be too wide.

Accuracies, the EER and TAR at a FAR are proportions of pairs, and the interval is the exact one with mid-P at the effective
sample size (``intervals.effective``). Percentile intervals fail near 0 and 1, where most verification metrics lie. Where
one kind of pairs is of fewer subjects, these are counted (``ResampledUnits.behind``). An AUC is a mean over comparisons of
pairs; its interval needs no resamples (``auc_interval``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.auc_interval import auc_interval
from modules.metrics.intervals import effective, mid_p
from modules.metrics.pair_rates import two_subjects
from modules.metrics.resampled_units import ResampledUnits
from modules.metrics.validation import checked, held_out

VALUES = 200_000  # weights per block, so that they stay in the processor's cache
FEW = 1_000_000  # up to this many impostor pairs, the variance of what two subjects add is estimated
SCALE = 4  # the variance of a metric over that over resamples, but for what ``ResampledUnits.unbiased`` adds

Interval = tuple[float, float]
Evaluate = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Intervals:
    """95 % intervals, none of which has width 0.

    Attributes:
        best_threshold: accuracy at the best threshold on the pairs themselves.
        ten_fold: cross-validated accuracy; None without folds.
        eer: equal error rate.
        auc: area under the ROC curve.
        val: TAR at FAR <= target, by target.
        subjects: number of subjects.
        resamples: number of valid resamples; those in which all impostor pairs have weight 0 are dropped.
    """

    best_threshold: Interval
    ten_fold: Interval | None
    eer: Interval
    auc: Interval
    val: dict[float, Interval]
    subjects: int
    resamples: int


def subject_bootstrap(
    scores: np.ndarray,
    same: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    *,
    folds: np.ndarray | None = None,
    fars: Sequence[float] = (1e-1, 1e-2, 1e-3),
    resamples: int = 1000,
    seed: int = 0,
) -> Intervals:
    """Intervals of all metrics from the same resamples of subjects.

    Scores are sorted once; a resample is a weight per pair, and its curve is two cumulative sums: O(resamples x pairs).

    Args:
        scores: (n,) float, higher is more similar.
        same: (n,) bool.
        left: (n,) int or text, the subject of each pair's first image.
        right: (n,), the subject of the second image; equal to ``left`` exactly where ``same``.
        folds: (n,) int, for ``ten_fold``.
        fars: FAR targets, above 0.
        resamples: at least 2.
        seed: of the resampling.

    Raises:
        ValueError: see ``scored.checked``; labels and subjects disagree (reports the first row); genuine pairs of a single
            subject, or impostor pairs of only two subjects.
    """
    scores, same = checked(scores, same)
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != scores.shape or right.shape != scores.shape:
        raise ValueError(f"{len(scores)} scores, {len(left)} left and {len(right)} right subjects; each pair has one of each")
    wrong = np.flatnonzero((left == right) != same)
    if len(wrong):
        row = wrong[0]
        raise ValueError(f"row {row} is {'genuine' if same[row] else 'an impostor'}, but of {left[row]!s} and {right[row]!s}")
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], same[order]
    held = [] if folds is None else [fold[order] for fold in held_out(folds, len(scores))]
    names, who = np.unique(np.concatenate([left[order], right[order]]), return_inverse=True)
    sides = who[: len(scores)], who[len(scores) :]
    pairs = WeightedPairs(scores, same, *columns(same, *sides, len(names)), held)
    genuine = int(same.sum())
    between, twos = columns_of_two(same, *sides)
    units = ResampledUnits.of(same, *sides)
    check_units(units.genuine, twos)
    alone = WeightedPairs(scores, same, *between, held)
    values, singles = resampled_metrics(
        lambda times: pairs.metrics(times, fars),
        (lambda times: alone.metrics(times, fars)) if len(scores) - genuine <= FEW else None,
        len(names), twos, resamples, seed, max(1, min(resamples, VALUES // len(scores))),
    )  # fmt: skip
    shares = pairs.metrics(np.ones((1, len(names) + 1), np.int64), fars)

    def interval(key: str, most: int = len(scores)) -> Interval:
        total = units.unbiased(key) * _variance(values[key])
        variance = max(total - _variance(singles[key]), total / 2) if singles else total
        return effective(float(shares[key][0]), variance, units.behind(key), most, mid_p)

    return Intervals(
        best_threshold=interval("best_threshold"),
        ten_fold=interval("ten_fold") if held else None,
        eer=interval("eer"),
        auc=auc_interval(scores, same, *sides),
        val={far: interval(f"val:{far}", genuine) for far in fars},
        subjects=len(names),
        resamples=int(np.isfinite(values["auc"]).sum()),
    )


def columns(same: np.ndarray, left: np.ndarray, right: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
    """The two columns of counts, (n,) each, whose sum is a pair's weight; column ``units`` has ones.

    Args:
        same: (n,) bool.
        left, right: (n,) int, the subjects of the pairs, from 0 to ``units`` - 1.
        units: number of subjects.
    """
    return left, np.where(same, units, right)


def columns_of_two(same: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    """As ``columns``, to resample the pairs of each two subjects together and no genuine pair; and how many twos there are."""
    which, count = two_subjects(left[~same], right[~same])
    first = np.full(len(same), count)
    first[~same] = which
    return (first, np.full(len(same), count)), count


def check_units(genuine: int, impostor: int) -> None:
    """Raises ValueError unless there are at least two units of either kind, since one alone has no variance."""
    if min(genuine, impostor) < 2:
        raise ValueError(
            f"genuine pairs are of {genuine} subjects and impostor pairs of {impostor} pairs of subjects; "
            "resampling needs at least 2 of each"
        )


def resampled_metrics(
    of_units: Evaluate, of_twos: Evaluate | None, units: int, twos: int, resamples: int, seed: int, block: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each metric over resamples of the units, and over those of pairs of subjects; the latter empty without a function.

    Args:
        of_units: metrics (rows, ...) of how often each unit is drawn, (rows, units + 1); the last column has ones
        of_twos: the same for the impostor pairs of each two subjects, (rows, twos + 1)
        units: number of resampled units
        twos: number of pairs of subjects that have impostor pairs
        resamples: number of resamples
        seed: of the resampling
        block: resamples at a time
    """
    generator, other = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    found: list[dict[str, np.ndarray]] = []
    single: list[dict[str, np.ndarray]] = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        found.append(of_units(with_ones(times_drawn(generator, units, rows))))
        if of_twos is not None:
            single.append(of_twos(with_ones(times_drawn(other, twos, rows))))
    values = {key: np.concatenate([part[key] for part in found]) for key in found[0]}
    return values, {key: np.concatenate([part[key] for part in single]) for key in single[0]} if single else {}


def with_ones(times: np.ndarray) -> np.ndarray:
    """Counts (rows, n) with a further column of ones."""
    return np.hstack([times, np.ones((len(times), 1), np.int64)])


def _variance(values: np.ndarray) -> float:
    return SCALE * float(values[np.isfinite(values)].var(ddof=1))


def times_drawn(generator: np.random.Generator, subjects: int, rows: int) -> np.ndarray:
    """Counts (rows, subjects) int64 of how often each subject is drawn; there are as many draws as subjects."""
    drawn = generator.integers(0, subjects, size=(rows, subjects)) + np.arange(rows)[:, None] * subjects
    return np.bincount(drawn.ravel(), minlength=rows * subjects).reshape(rows, subjects)


class WeightedPairs:
    """Pairs whose weights are sums of two counts.

    Args:
        scores, same: (n,), by decreasing score.
        first, second: int (n,), columns of ``times`` in ``metrics``.
        held: the pairs of each fold, (n,) bool; empty: no ``ten_fold``.
    """

    def __init__(
        self, scores: np.ndarray, same: np.ndarray, first: np.ndarray, second: np.ndarray, held: Sequence[np.ndarray]
    ) -> None:
        self.same, self.first, self.second, self.held = same, first, second, held
        self.last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
        self.levels = np.append(np.inf, scores[self.last].astype(np.float64))
        self.genuine = _Kind(self.last, same, first, second)
        self.impostor = _Kind(self.last, ~same, first, second)

    def metrics(self, times: np.ndarray, fars: Sequence[float]) -> dict[str, np.ndarray]:
        """Each metric as (rows,) float64; NaN if undefined. ``times`` is (rows, columns), counts from 0."""
        out = curve_metrics(self.genuine(times), self.impostor(times), fars)
        if self.held:
            weights = times[:, self.first] + times[:, self.second]  # (rows, n)
            found = np.array([_fold(weights, self.same, self.levels, self.last, fold) for fold in self.held])
            there = np.isfinite(found)  # a fold may be empty in a resample; average over the others
            with np.errstate(invalid="ignore"):
                out["ten_fold"] = np.where(there, found, 0).sum(axis=0) / there.sum(axis=0)
        return out


class _Kind:
    """Weighted number of genuine (or impostor) pairs accepted at each distinct score.

    Args:
        last: (k,), the last pair, by decreasing score, of each distinct score.
        chosen: (n,) bool, the pairs of this kind.
        first, second: (n,), columns of counts; a pair's weight is their sum.
    """

    def __init__(self, last: np.ndarray, chosen: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
        pairs = np.flatnonzero(chosen)
        self.first, self.second = first[pairs].astype(np.int32), second[pairs].astype(np.int32)
        self.levels, self.starts = np.unique(np.searchsorted(last, pairs), return_index=True)
        self.count = len(last)

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """Counts (rows, k + 1) int64, from none to all; ``times`` is (rows, columns)."""
        out = np.zeros((len(times), self.count + 1), np.int64)
        if len(self.starts):
            weights = times.take(self.first, axis=1)
            weights += times.take(self.second, axis=1)
            out[:, 1 + self.levels] = np.add.reduceat(weights, self.starts, axis=1)
        return out.cumsum(axis=1)


def curve_metrics(accepted: np.ndarray, false: np.ndarray, fars: Sequence[float]) -> dict[str, np.ndarray]:
    """Each metric as (rows,) float64; NaN if undefined. Arguments are (rows, k + 1), of genuine and of impostor pairs."""
    genuine, impostor = accepted[:, -1], false[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        best = ((accepted - false).max(axis=1) + impostor) / (genuine + impostor)
        steps = np.diff(false, axis=1)
        wins = np.einsum("rk,rk->r", steps, accepted[:, 1:]) + np.einsum("rk,rk->r", steps, accepted[:, :-1])
        return {"best_threshold": best, "auc": wins / 2 / genuine / impostor} | crossings(accepted, false, fars)


def crossings(accepted: np.ndarray, false: np.ndarray, fars: Sequence[float]) -> dict[str, np.ndarray]:
    """The metrics that are one place of a curve, ``eer`` and ``val:<far>``; see ``curve_metrics``."""
    genuine, impostor = accepted[:, -1], false[:, -1]
    out: dict[str, np.ndarray] = {}
    with np.errstate(invalid="ignore", divide="ignore"):

        def gap(index: np.ndarray) -> np.ndarray:
            """(FAR - FRR) x genuine x impostor, which does not decrease along the curve."""
            return _at(false, index) * genuine + _at(accepted, index) * impostor - genuine * impostor

        after = first_true(lambda index: gap(index) >= 0, *accepted.shape)
        before = np.maximum(after - 1, 0)
        part = -gap(before) / (gap(after) - gap(before))
        low, high = _at(false, before) / impostor, _at(false, after) / impostor
        out["eer"] = low + part * (high - low)
        for target in fars:
            index = first_true(lambda at, most=target: ~(_at(false, at) / impostor <= most), *accepted.shape)  # type: ignore[misc]
            out[f"val:{target}"] = _at(accepted, np.maximum(index - 1, 0)) / genuine
    return out


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(rows,): one value of each row."""
    return values[np.arange(len(values)), index]  # type: ignore[no-any-return]


def first_true(holds: Callable[[np.ndarray], np.ndarray], rows: int, count: int) -> np.ndarray:
    """(rows,): the first index from 0 to ``count`` - 1 at which a condition holds, or ``count``; it is monotone in each row.

    Args:
        holds: indices (rows,) -> bool (rows,).
    """
    low, high = np.zeros(rows, np.int64), np.full(rows, count)
    while (low < high).any():
        middle = np.minimum((low + high) // 2, count - 1)
        found = holds(middle)
        low, high = np.where(found | (low >= high), low, middle + 1), np.where(found & (low < high), middle, high)
    return low


def _fold(weights: np.ndarray, same: np.ndarray, levels: np.ndarray, last: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Weighted accuracy (rows,) of one fold at the best threshold on the other folds: ``Curve.best`` with weights."""
    rows = np.arange(len(weights))
    train, own = weights * ~fold, weights * fold
    signs = np.where(same, 1, -1)
    best = np.argmax(_upto(train * signs, last), axis=1)  # the first of the best
    total = _upto(train, last)
    below = (total <= total[rows, best][:, None]).sum(axis=1)  # the next point with pairs of the other folds
    above_level, below_level = levels[best], levels[np.minimum(below, len(levels) - 1)]
    half = 0.5 * above_level + 0.5 * below_level
    middle = np.where((below_level < half) & (half <= above_level), half, above_level)
    point = np.searchsorted(-levels, -middle, side="right") - 1
    point = np.where(below == len(levels), best, point)  # all are accepted
    point = np.where(best == 0, below - 1, point)  # none is
    right = _upto(own * signs, last)[rows, point] + (own * ~same).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return right / own.sum(axis=1)  # type: ignore[no-any-return]


def _upto(weights: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Total weights (rows, k + 1) of the pairs accepted at each distinct score, from none to all."""
    out = np.zeros((len(weights), len(last) + 1), np.int64)
    out[:, 1:] = np.cumsum(weights, axis=1)[:, last]
    return out
