"""Which cells differ significantly: paired tests of every two cells on the same test items, corrected for their number."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.analysis.cell_contrasts import CellContrasts
from modules.metrics.auc_jackknife import AUCJackknife
from modules.metrics.paired_bootstrap import PairedBootstrap, held_out_decisions
from modules.metrics.paired_tests import Estimate, delong, equivalence, holm, mcnemar, student

LEVEL = 0.05
MARGIN = 0.01  # one point


@dataclass(frozen=True)
class Check:
    """A second test of a difference: its name and its p."""

    test: str
    p: float


@dataclass(frozen=True)
class Comparison:
    """``first`` minus ``second`` under one metric.

    Attributes:
        first, second: numbers of cells.
        difference: with the interval and p of the paired bootstrap, to which the variance between seeds is added if there
            are replicates.
        adjusted: that p after Holm's correction over all pairs of cells.
        equivalent: p of TOST after Holm's correction: below 0.05, the difference is smaller than the margin.
        check: the classical test: DeLong's for ``auc``, over subjects if they are known, and McNemar's of independent pairs for
            accuracies; None for others, and where a cell has replicates.
    """

    first: int
    second: int
    difference: Estimate
    adjusted: float
    equivalent: float
    check: Check | None

    @property
    def differs(self) -> bool:
        return self.adjusted < LEVEL


@dataclass(frozen=True)
class Comparisons:
    """All pairs of cells under one metric.

    Attributes:
        order: numbers of the cells, best first.
        values: the metric of each cell, by number; the mean over its replicates.
        pairs: of any two cells; ``first`` is the better one.
        margin: of equivalence, in the unit of the metric.
        units: number of test subjects, or of pairs if the subjects are unknown.
        method: of the bootstrap.
        seeds: whether the variance between seeds is in the intervals.
    """

    order: tuple[int, ...]
    values: tuple[float, ...]
    pairs: tuple[Comparison, ...]
    margin: float
    units: int
    method: str
    seeds: bool

    def between(self, one: int, other: int) -> Comparison:
        return next(pair for pair in self.pairs if {pair.first, pair.second} == {one, other})

    @property
    def tied(self) -> list[tuple[int, ...]]:
        """The largest runs of cells, in ``order``, of which no two differ significantly; runs may overlap."""
        differ = {frozenset((pair.first, pair.second)) for pair in self.pairs if pair.differs}
        found: list[tuple[int, ...]] = []
        end = 0
        for start in range(len(self.order)):
            stop = start + 1
            while stop < len(self.order) and not any(
                frozenset((self.order[stop], other)) in differ for other in self.order[start:stop]
            ):
                stop += 1
            if stop > end:  # not part of the run before
                found.append(self.order[start:stop])
                end = stop
        return found


def comparisons(
    metric: str,
    groups: Sequence[Sequence[int]],
    values: Sequence[float],
    drawn: PairedBootstrap,
    *,
    scores: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    subjects: tuple[np.ndarray, np.ndarray] | None = None,
    lower_is_better: bool = False,
    margin: float = MARGIN,
) -> Comparisons:
    """Compares every two cells; their variances are those of ``CellContrasts``.

    Args:
        metric: ``auc``, ``ten_fold``, ...: a key of ``drawn``.
        groups: the observations of each cell.
        values: (observations,) of the metric.
        drawn: of the observations.
        scores: (observations, n).
        same, folds: (n,).
        subjects: (n,) each, of the pairs' first and second images; None if unknown.
        margin: differences below it do not matter; in the unit of the metric.

    Raises:
        ValueError: the margin is not above 0.
    """
    cells = CellContrasts(metric, groups, np.asarray(values, np.float64), drawn)
    means = cells.means
    order = sorted(range(len(groups)), key=lambda number: means[number], reverse=not lower_is_better)
    single = [len(group) == 1 for group in groups]
    check = _checks(metric, scores, same, folds, subjects) if any(single) else None
    found: list[Comparison] = []
    equal: list[float] = []
    for one, other in itertools.combinations(order, 2):
        weights = np.zeros(len(groups))
        weights[one], weights[other] = 1, -1
        moments = cells.moments(weights)
        assert moments is not None, metric
        variance, degrees = moments
        value = means[one] - means[other]
        estimate = student(value, variance, degrees, drawn.units)
        equal.append(equivalence(value, variance, degrees, margin))
        checked = check(groups[one][0], groups[other][0]) if check and single[one] and single[other] else None
        found.append(Comparison(one, other, estimate, 1.0, 1.0, checked))
    adjusted, equivalent = holm([pair.difference.p for pair in found]), holm(equal)
    pairs = tuple(replace(pair, adjusted=p, equivalent=q) for pair, p, q in zip(found, adjusted, equivalent, strict=True))
    seeds = any(len(group) > 1 for group in groups)
    return Comparisons(tuple(order), tuple(means), pairs, margin, drawn.units, drawn.method, seeds)


def _decided(metric: str, scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> np.ndarray | None:
    """bool (n,): the pairs decided correctly, for accuracies."""
    from modules.metrics.roc import Curve

    if metric == "ten_fold":
        return held_out_decisions(scores, same, folds)
    if metric == "best_threshold":
        return (scores >= Curve.of(scores, same).best()[1]) == same  # type: ignore[no-any-return]
    return None


def _checks(
    metric: str, scores: np.ndarray, same: np.ndarray, folds: np.ndarray, subjects: tuple[np.ndarray, np.ndarray] | None
) -> Callable[[int, int], Check | None]:
    """The classical test of any two observations under this metric."""
    if metric == "auc":
        known = [one for row in scores if subjects and (one := AUCJackknife.of(row, same, subjects))]
        if len(known) == len(scores):
            return lambda one, other: Check("DeLong, subjects", known[one].minus(known[other]).p)
        return lambda one, other: Check("DeLong, independent pairs", delong(scores[one], scores[other], same).p)
    decided = [found for row in scores if (found := _decided(metric, row, same, folds)) is not None]
    if len(decided) < len(scores):
        return lambda one, other: None
    return lambda one, other: Check("McNemar, independent pairs", mcnemar(decided[one], decided[other]))
