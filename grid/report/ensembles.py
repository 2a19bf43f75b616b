"""Ensembles: several cells that score each pair together, as rows of the report.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 4.2: the kernels of networks with different inputs are added, each
being the negative Euclidean distance of the two unit embeddings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from grid.ledger.ledger import Marker
from grid.ledger.study import CellView, Study
from grid.results.measured import measured, started
from grid.results.rows import Row, Table
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.ensemble import combined
from modules.metrics.verification import verification


def with_ensembles(study: Study, table: Table) -> Table:
    """The table with a row for each ensemble of the grid file and each combination of the other axes.

    An axis combined by an ensemble has no ticks: its level is then the members' names.
    """
    overs = {ensemble["over"] for ensemble in study.record.get("ensembles", ())}
    factors = tuple(dataclasses.replace(one, tick=None) if one.axis in overs else one for one in table.factors)
    made: list[Row] = []
    for ensemble in study.record.get("ensembles", ()):
        over = ensemble["over"]
        levels = ensemble["levels"] or study.axes[over]
        groups: dict[tuple[tuple[str, str], ...], dict[str, Row]] = {}
        for row in table.rows:
            rest = tuple((axis, level) for axis, level in row.cell.levels.items() if axis != over)
            groups.setdefault(rest, {})[row.cell.levels[over]] = row
        made += [_row(study, over, levels, group, table.compared) for group in groups.values()]
    return dataclasses.replace(table, factors=factors, ensembles=tuple(made))


def _row(study: Study, over: str, levels: Sequence[str], group: Mapping[str, Row], protocols: Sequence[str]) -> Row:
    members = [group[level] for level in levels]
    metrics: dict[str, Mapping[str, Any]] = {}
    absent: dict[str, None] = {}
    for protocol in protocols:
        without = [level for level, row in zip(levels, members, strict=True) if protocol not in row.metrics]
        absent |= dict.fromkeys(without)
        if not without:
            metrics[protocol] = _evaluated(study, [row.markers[StageName(EVALUATE, protocol)] for row in members])
    reason = f"waits for {over} {', '.join(absent or levels)}" if absent or not metrics else None
    cell = CellView(
        id=None,
        levels={**members[0].cell.levels, over: " + ".join(levels)},
        state="ensemble",
        reason=reason,
        stages={},
        markers={},
        failures={},
        attempts={},
        config={},
    )
    numbers = [
        one
        for protocol, found in metrics.items()
        for one in measured(found, dataclasses.replace(started(cell, StageName(EVALUATE, protocol)), heading=protocol))
    ]
    return Row(cell, "ensemble", reason, {}, metrics, results=tuple(numbers))


def _evaluated(study: Study, markers: Sequence[Marker]) -> dict[str, Any]:
    """The ``verification`` results on the pairs compared by all members: no member dropped one of their faces."""
    tables = [pq.read_table(study.ledger.path(marker, "scores.parquet")) for marker in markers]
    pairs = [list(zip(table["left"].to_pylist(), table["right"].to_pylist(), strict=True)) for table in tables]
    common = set(pairs[0]).intersection(*pairs[1:])
    kept = [[place for place, pair in enumerate(one) if pair in common] for one in pairs]
    places = [{pair: place for place, pair in enumerate(one)} for one in pairs]
    order = [pairs[0][place] for place in kept[0]]
    scores = [
        np.asarray(table["score"].to_numpy(), np.float64)[[place[pair] for pair in order]]
        for table, place in zip(tables, places, strict=True)
    ]
    first = tables[0].take(kept[0])
    same, fold = first["same"].to_numpy(), first["fold"].to_numpy()
    return verification(combined(scores), same, fold)
