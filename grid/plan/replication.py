"""How many replicates each cell may run, decided from the results in the ledger alone: a killed launch decides alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configs.lookup import nearest
from grid.evaluation.task import evaluation_task
from grid.ledger.ledger import Damaged, Ledger
from grid.ledger.study import finished
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput, Grid
from grid.spec.levels import other_levels
from grid.spec.measure import entry_of, measures_in, number_of
from grid.spec.replication import Granted, Replication
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.sequential_replication import replicated

VERIFICATION = "verification"  # the task of protocols with pairs of images
Levels = tuple[str, ...]  # of a combination, in the order of the axes


def protocol_of(grid: Grid, rule: Replication, cell: Cell) -> str:
    """The title of the protocol whose metric decides.

    Raises:
        BadInput: the grid has no such protocol.
    """
    titles = [protocol.title for protocol in cell.protocols]
    if rule.until.protocol is not None and rule.until.protocol not in titles:
        text = f"no protocol is called {rule.until.protocol!r}{nearest(rule.until.protocol, titles)}"
        raise grid.refusal("replicates.until.protocol", text)
    return rule.until.protocol or titles[0]


def check_metric(grid: Grid, rule: Replication, cell: Cell) -> None:
    """Raises BadInput for a metric that pairs of images do not have; the metrics of other tasks are in their results only."""
    title = protocol_of(grid, rule, cell)
    protocol = next(one for one in cell.protocols if one.title == title)
    keys = [measure.key for measure in evaluation_task(protocol.task).measures([])] if protocol.task == VERIFICATION else []
    if keys and rule.until.metric not in keys and not rule.until.metric.startswith("val:"):
        raise _unknown(grid, rule, title, [*keys, "val:0.01"])


def combinations_of(levels: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The combinations that these cells repeat, in their order, without the replicate."""
    found = [other_levels(one) for one in levels]
    return [dict(one) for one in dict.fromkeys(tuple(one.items()) for one in found)]


def granted(
    grid: Grid, rule: Replication, cells: Sequence[tuple[Mapping[str, str], str | None]], protocol: str, ledger: Ledger
) -> dict[Levels, Granted]:
    """The replicates of each combination.

    Args:
        cells: of the whole grid, without skipped ones: levels, and the id of the evaluation that decides, or None.
        protocol: its title.

    Raises:
        BadInput: the evaluations do not have the metric.
    """
    values: dict[Levels, list[float | None]] = {}
    for levels, id in cells:
        key = tuple(other_levels(levels).values())
        values.setdefault(key, []).append(None if id is None else _value(grid, rule, id, protocol, ledger))
    if not values:
        return {}
    contrasts = rule.contrasts(combinations_of([levels for levels, _ in cells]))
    if not contrasts:
        text = "no two cells can be compared; `of: means` makes the interval of each cell's mean narrow enough"
        raise grid.refusal("replicates.until.of", text)
    found = replicated(list(values.values()), contrasts, rule.looks, rule.until.half_width)
    return {key: Granted(*one) for key, one in zip(values, zip(found.counts, found.final, strict=True), strict=True)}


def _value(grid: Grid, rule: Replication, id: str, protocol: str, ledger: Ledger) -> float | None:
    marker = ledger.marker(EVALUATE, id)
    if marker is None:
        return None
    try:
        result = known_kind(EVALUATE).result(finished(ledger, StageName(EVALUATE, protocol), marker)) or {}
    except Damaged:
        return None  # it will be computed again
    entry = entry_of(result, rule.until.metric)
    if entry is None or "value" not in entry:
        keys = [measure.key for measure in measures_in([result])]
        raise _unknown(grid, rule, protocol, keys)
    return number_of(entry["value"])


def _unknown(grid: Grid, rule: Replication, protocol: str, keys: Sequence[str]) -> BadInput:
    wanted = rule.until.metric
    return grid.refusal("replicates.until.metric", f"{protocol} has no metric {wanted!r}{nearest(wanted, keys)}")
