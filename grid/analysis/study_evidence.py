"""A study's analysis as evidence for claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from grid.analysis.analysis import ProtocolAnalysis, by_cell, contrasts_of, drawn_metrics
from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.claim_verdicts import Evidence
from grid.analysis.observations import Observation, items, observations
from grid.ledger.study import Study
from grid.results.columns import Column
from grid.results.rows import Table
from grid.spec.levels import REPLICATE, other_levels

Cells = Sequence[Mapping[str, str]]
Measured = tuple[Cells, CellContrasts, str]  # the cells that have a number, their contrasts, and what these are about


def study_evidence(study: Study, table: Table, found: Sequence[ProtocolAnalysis]) -> list[Evidence]:
    """Every metric of every protocol, in the order of the table.

    A finished cell that lacks the number, such as VAL at a FAR for which it has too few pairs, is one without a result. The
    analysis leaves such a metric out, so its pairs are resampled here.

    Args:
        table: the study's rows.
        found: their analysis.
    """
    axes = {factor.axis: factor.levels for factor in table.factors if factor.axis != REPLICATE}
    asked = _different(other_levels(row.cell.levels) for row in table.rows if row.state != "skipped")
    analyzed = {one.protocol: one for one in found}
    evidence = []
    for protocol in table.protocols:
        known = _analyzed(analyzed[protocol]) if protocol in analyzed else {}
        known |= _others(study, protocol, table, known)
        for column in table.under(protocol):
            cells, contrasts, basis = known[column]
            without = [levels for levels in asked if levels not in cells]
            evidence.append(Evidence(column, axes, cells, contrasts, basis, without))
    return evidence


def _analyzed(found: ProtocolAnalysis) -> dict[Column, Measured]:
    return {
        one.column: (found.cells, one.contrasts, _basis(found.replicates, one.contrasts, found.unknown))
        for one in found.metrics
    }


def _others(study: Study, protocol: str, table: Table, known: Mapping[Column, Measured]) -> dict[Column, Measured]:
    """The metrics that are not known yet; those of the same observations are resampled together."""
    seen, _ = observations(table, protocol)
    columns: dict[tuple[int, ...], list[Column]] = {}
    for column in table.under(protocol):
        if column not in known:
            having = tuple(place for place, one in enumerate(seen) if one.row.number(column) is not None)
            columns.setdefault(having, []).append(column)
    return {
        column: measured
        for having, some in columns.items()
        for column, measured in _measured(study, protocol, [seen[place] for place in having], some).items()
    }


def _measured(study: Study, protocol: str, seen: Sequence[Observation], columns: Sequence[Column]) -> dict[Column, Measured]:
    scored = items(study, protocol, seen) if seen else None
    drawn = drawn_metrics(scored, columns) if scored else None
    groups = by_cell(seen)
    cells, replicates = [dict(levels) for levels in groups], [len(group) for group in groups.values()]
    found: dict[Column, Measured] = {}
    for column in columns:
        contrasts = contrasts_of(column, seen, list(groups.values()), scored, drawn)
        found[column] = (cells, contrasts, _basis(replicates, contrasts, scored.unknown if scored else ""))
    return found


def _basis(replicates: Sequence[int], contrasts: CellContrasts, unknown: str) -> str:
    """What the uncertainty is of; ``unknown``: why the subjects of the pairs are."""
    items = "other pairs of images" if unknown else "other test subjects"
    several, every = max(replicates, default=1) > 1, min(replicates, default=1) > 1
    seeds = "other seeds" if every else "other seeds of those cells that have several replicates"
    if contrasts.drawn and several:
        return f"{items} and {seeds}"
    if contrasts.drawn:
        return f"{items}, with these trained networks"
    return f"{seeds}, on these test items" if several else ""


def _different(found: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return list({tuple(levels.items()): levels for levels in found}.values())
