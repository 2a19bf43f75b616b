"""The analysis of a study: effects of its factors and comparisons of its cells, for every protocol and metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.comparisons import MARGIN, Comparisons, comparisons
from grid.analysis.effects import Effects, effects
from grid.analysis.observations import Items, Observation, items, observations
from grid.ledger.study import Study
from grid.results.columns import Column
from grid.results.rows import Table
from grid.spec.levels import REPLICATE, other_levels, selects
from modules.metrics.pair_values import pair_value
from modules.metrics.paired_bootstrap import PairedBootstrap, paired_bootstrap

RESAMPLES, SEED = 1000, 0
MOST_PAIRS = 200_000  # longer lists get fewer resamples, so that a report takes minutes at most
FEWEST_RESAMPLES = 200


@dataclass(frozen=True)
class MetricAnalysis:
    """What is known about one metric under one protocol.

    ``comparisons`` is None without scored pairs; ``contrasts`` has the numbers of the protocol's cells.
    """

    column: Column
    effects: Effects
    comparisons: Comparisons | None
    contrasts: CellContrasts


@dataclass(frozen=True)
class ProtocolAnalysis:
    """The analysis of one protocol.

    Attributes:
        cells: levels of each compared cell, without the replicate, by its number.
        replicates: number of distinct replicates of each cell.
        copies: replicates left out because they repeat another one.
        missing: combinations of levels without results, as (levels, state).
        units: number of test subjects, or of pairs if the subjects are unknown; None without scored pairs.
        unknown: why the subjects of the pairs are unknown; empty if they are known, or there are no pairs.
        sequential: results decided how many replicates each cell has.
        negligible: the grid file states that two-way interactions are negligible.
    """

    protocol: str
    axes: Mapping[str, tuple[str, ...]]
    cells: tuple[Mapping[str, str], ...]
    replicates: tuple[int, ...]
    copies: int
    missing: tuple[tuple[Mapping[str, str], str], ...]
    metrics: tuple[MetricAnalysis, ...]
    units: int | None
    pairs: int | None
    left_out: int
    unknown: str
    sequential: bool = False
    negligible: bool = False

    @property
    def seeds(self) -> bool:
        """Whether any cell has several replicates."""
        return max(self.replicates) > 1


def analyze(
    study: Study, table: Table, margin: float = MARGIN, asked: Mapping[str, Collection[str]] | None = None
) -> list[ProtocolAnalysis]:
    """The analysis of each protocol with two cells or more.

    Args:
        table: the study's rows.
        margin: differences below it do not matter; a fraction, of equivalence tests.
        asked: axis -> levels of cells to compare even if they are not among the best ``comparisons.MOST_CELLS``.

    Raises:
        ValueError: the margin is not above 0.
    """
    found = (_protocol(study, table, protocol, margin, asked or {}) for protocol in table.protocols)
    return [one for one in found if one]


def _protocol(
    study: Study, table: Table, protocol: str, margin: float, asked: Mapping[str, Collection[str]]
) -> ProtocolAnalysis | None:
    seen, copies = observations(table, protocol)
    groups = by_cell(seen)
    columns = [column for column in table.under(protocol) if has_everywhere(column, seen)]
    if len(groups) < 2 or not columns:
        return None
    axes = {factor.axis: factor.levels for factor in table.factors if factor.axis != REPLICATE}
    scored = items(study, protocol, seen)
    drawn = drawn_metrics(scored, columns) if scored else None
    done = {tuple(levels) for levels in groups}
    missing: dict[tuple[tuple[str, str], ...], str] = {}
    for row in table.rows:
        levels = tuple(other_levels(row.cell.levels).items())
        if levels not in done:
            missing[levels] = row.state if row.state != "done" else "no result"
    cells = [dict(levels) for levels in groups]
    wanted = [number for number, levels in enumerate(cells) if asked and selects(asked, levels)]
    negligible = study.record.get("negligible") == "interactions"
    metrics = tuple(
        _metric(column, seen, list(groups.values()), axes, scored, drawn, margin, wanted, negligible) for column in columns
    )
    return ProtocolAnalysis(
        protocol=protocol,
        axes=axes,
        cells=tuple(cells),
        replicates=tuple(len(group) for group in groups.values()),
        copies=copies,
        missing=tuple((dict(levels), state) for levels, state in missing.items()),
        metrics=metrics,
        units=drawn.units.every if drawn else None,
        pairs=len(scored.same) if scored else None,
        left_out=scored.left_out if scored else 0,
        unknown=scored.unknown if scored else "",
        sequential="replication" in study.record,
        negligible=negligible,
    )


def _metric(
    column: Column,
    seen: Sequence[Observation],
    groups: Sequence[Sequence[int]],
    axes: Mapping[str, Sequence[str]],
    scored: Items | None,
    drawn: PairedBootstrap | None,
    margin: float,
    asked: Collection[int],
    negligible: bool,
) -> MetricAnalysis:
    contrasts = contrasts_of(column, seen, groups, scored, drawn)
    known = contrasts.drawn
    covariance = partial(known.covariance, column.key) if known else None
    found = effects(
        [one.levels for one in seen],
        [one.replicate for one in seen],
        contrasts.values.tolist(),
        axes,
        covariance,
        known.units.behind(column.key) if known else 0,
        negligible=negligible,
    )
    compared = None
    if scored and known:
        compared = comparisons(contrasts, scored, lower_is_better=column.lower_is_better, margin=margin, asked=asked)
    return MetricAnalysis(column, found, compared, contrasts)


def drawn_metrics(scored: Items, columns: Sequence[Column]) -> PairedBootstrap | None:
    """The resampled metrics of all observations; None with too few subjects."""
    keys = [column.key for column in columns]
    fars = [float(key.removeprefix("val:")) for key in keys if key.startswith("val:")]
    folds = scored.folds if "ten_fold" in keys and not scored.verifier else None
    resamples = max(FEWEST_RESAMPLES, min(RESAMPLES, RESAMPLES * MOST_PAIRS // len(scored.same)))
    try:
        return paired_bootstrap(
            scored.scores, scored.same, scored.subjects, folds=folds, fars=fars, resamples=resamples, seed=SEED
        )
    except ValueError:  # too few subjects
        return None


def by_cell(seen: Sequence[Observation]) -> dict[tuple[tuple[str, str], ...], list[int]]:
    """The levels of each cell -> the numbers of its observations."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, one in enumerate(seen):
        groups.setdefault(tuple(one.levels.items()), []).append(number)
    return groups


def contrasts_of(
    column: Column,
    seen: Sequence[Observation],
    groups: Sequence[Sequence[int]],
    scored: Items | None,
    drawn: PairedBootstrap | None,
) -> CellContrasts:
    """The metric of the cells, whose observations ``groups`` has; each observation has the number."""
    known = drawn if drawn and column.key in drawn.drawn else None
    return CellContrasts(column.key, groups, np.asarray(_values(column, seen, scored, drawn), np.float64), known)


def _values(column: Column, seen: Sequence[Observation], scored: Items | None, drawn: PairedBootstrap | None) -> list[float]:
    """The metric of each observation; on the pairs that all of them have, where some dropped others."""
    if scored and scored.left_out and drawn and column.key in drawn.drawn:
        return [pair_value(column.key, scores, scored.same, scored.folds) for scores in scored.scores]
    found = [one.row.number(column) for one in seen]
    assert None not in found, column  # see ``has_everywhere``
    return [value for value in found if value is not None]


def has_everywhere(column: Column, seen: Sequence[Observation]) -> bool:
    """Whether every observation has this number; others are in the table alone."""
    return bool(seen) and all(one.row.number(column) is not None for one in seen)
