"""Ensembles: several cells that score each pair together, as rows of the report.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 4.2: the kernels of networks with different inputs are added, each
being the negative Euclidean distance of the two unit embeddings. With ``fit``, a linear classifier of these distances is fitted
for each fold on the pairs of the others (LFW's restricted setting), with ``pairs: formed`` also on pairs formed from the
identities of their images (the unrestricted setting).

Intervals are those of cells: by the subject bootstrap, where the subjects of the pairs are known. They are read from the
protocol's dataset, as for comparisons.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from grid.analysis.observations import identities, known_subjects
from grid.evaluation.verification import FORMED, SCORES
from grid.ledger.ledger import Marker
from grid.ledger.study import CellView, Study
from grid.results.measured import measured, started
from grid.results.rows import Row, Table
from grid.spec.levels import other_levels
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.ensemble import combined, fitted
from modules.metrics.linear_verifier import Loss
from modules.metrics.verification import verification


def with_ensembles(study: Study, table: Table) -> Table:
    """The table with a row for each ensemble of the grid file and each combination of the other axes.

    An axis combined by an ensemble has no ticks: its level is then the members' names.
    """
    overs = {ensemble["over"] for ensemble in study.record.get("ensembles", ())}
    factors = tuple(dataclasses.replace(one, tick=None) if one.axis in overs else one for one in table.factors)
    made: list[Row] = []
    read = cache(lambda config: identities(study, json.loads(config)))  # each dataset once
    subjects = partial(known_subjects, lambda config: read(json.dumps(config, sort_keys=True)))
    for ensemble in study.record.get("ensembles", ()):
        over = ensemble["over"]
        levels = ensemble["levels"] or study.axes[over]
        groups: dict[tuple[tuple[str, str], ...], dict[str, Row]] = {}
        for row in table.rows:
            rest = tuple(other_levels(row.cell.levels, over).items())
            groups.setdefault(rest, {})[row.cell.levels[over]] = row
        complete = [group for group in groups.values() if set(levels) <= set(group)]  # others are not in the grid's design
        made += [_row(study, ensemble, levels, group, table.compared, subjects) for group in complete]
    return dataclasses.replace(table, factors=factors, ensembles=tuple(made))


def _row(
    study: Study,
    ensemble: Mapping[str, Any],
    levels: Sequence[str],
    group: Mapping[str, Row],
    protocols: Sequence[str],
    subjects: Callable[..., tuple[tuple[np.ndarray, np.ndarray] | None, str]],
) -> Row:
    over, fit, formed = ensemble["over"], ensemble.get("fit"), ensemble.get("pairs") == "formed"
    members = [group[level] for level in levels]
    metrics: dict[str, Mapping[str, Any]] = {}
    absent: dict[str, None] = {}
    unfit: list[str] = []
    for protocol in protocols:
        without = [level for level, row in zip(levels, members, strict=True) if protocol not in row.metrics]
        absent |= dict.fromkeys(without)
        if without:
            continue
        markers = [row.markers[StageName(EVALUATE, protocol)] for row in members]
        if fit and (why := _unfit(members[0].metrics[protocol], markers, formed)):
            unfit.append(f"{protocol}: {why}")
            continue
        try:
            pairs = _common(study, markers, SCORES)
            more = _common(study, markers, FORMED) if formed else None
            who, unknown = subjects(protocol, members[0], pairs.keys, pairs.same)
            found = _evaluated(pairs, more, fit, ensemble.get("c", 1.0), who)
        except ValueError as error:
            unfit.append(f"{protocol}: {error}")
            continue
        metrics[protocol] = {**found, "subjects": {"reason": unknown}} if unknown else found
    reason = f"waits for {over} {', '.join(absent or levels)}" if absent or not (metrics or unfit) else "; ".join(unfit) or None
    title = " + ".join(levels) + (f", {fit}" if fit else "") + (", formed pairs" if formed else "")
    cell = CellView(None, {**members[0].cell.levels, over: title}, "ensemble", reason)
    numbers = [
        one
        for protocol, found in metrics.items()
        for one in measured(found, dataclasses.replace(started(cell, StageName(EVALUATE, protocol)), heading=protocol))
    ]
    return Row(cell, "ensemble", reason, {}, metrics, results=tuple(numbers))


def _unfit(metrics: Mapping[str, Any], markers: Sequence[Marker], formed: bool) -> str | None:
    """Why nothing can be fitted on the other folds of a protocol; None if it can."""
    shared = metrics.get("subjects_in_several_folds")
    if shared is None:
        return "evaluated by an earlier version, which did not count the subjects of several folds; launch with --retry stale"
    if shared:
        return f"fit needs folds without common subjects, and {shared} are in several"
    if formed and metrics.get("setting") != "unrestricted":
        return "pairs: formed needs a protocol with setting: unrestricted, whose evaluation scores such pairs"
    if formed and not all(FORMED in marker.outputs for marker in markers):
        return "evaluated by an earlier version, which scored no formed pairs; launch with --retry stale"
    return None


@dataclasses.dataclass(frozen=True, eq=False)
class _Pairs:
    """The n pairs that all members scored: keys of both images, scores (n,) of each member, labels (n,) and folds (n,)."""

    keys: Sequence[tuple[str, str]]
    scores: Sequence[np.ndarray]
    same: np.ndarray
    fold: np.ndarray


def _evaluated(
    pairs: _Pairs, formed: _Pairs | None, fit: Loss | None, c: float, subjects: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, Any]:
    """The ``verification`` results on the pairs compared by all members: no member dropped one of their faces.

    Of a fitted ensemble, all numbers come from the scores of the folds' classifiers, and the accuracy over folds is that of
    their own threshold, 0.

    Raises:
        ValueError: a score is no cosine, or these pairs cannot be evaluated or fitted.
    """
    if fit is None:
        return verification(combined(pairs.scores), pairs.same, pairs.fold, subjects=subjects)
    more = None if formed is None else (formed.scores, formed.same, formed.fold)
    verified = fitted(pairs.scores, pairs.same, pairs.fold, loss=fit, c=c, formed=more)
    found = verification(verified.scores, pairs.same, pairs.fold, subjects=subjects)
    return found | {"setting": verified.setting, "ten_fold": verified.accuracy}


def _common(study: Study, markers: Sequence[Marker], file: str) -> _Pairs:
    """Raises ValueError if the members have no pair in common."""
    tables = [pq.read_table(study.ledger.path(marker, file)) for marker in markers]
    pairs = [list(zip(table["left"].to_pylist(), table["right"].to_pylist(), strict=True)) for table in tables]
    common = set(pairs[0]).intersection(*pairs[1:])
    if not common:
        raise ValueError("no pair was scored by all members")
    kept = [place for place, pair in enumerate(pairs[0]) if pair in common]
    places = [{pair: place for place, pair in enumerate(one)} for one in pairs]
    order = [pairs[0][place] for place in kept]
    scores = [
        np.asarray(table["score"].to_numpy(), np.float64)[[place[pair] for pair in order]]
        for table, place in zip(tables, places, strict=True)
    ]
    first = tables[0].take(kept)
    return _Pairs(order, scores, first["same"].to_numpy(), first["fold"].to_numpy())
