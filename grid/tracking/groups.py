"""The runs of replicates in MLflow: one run per combination of levels, the parent of the runs of its cells.

Its metrics have the names of those of the cells and are means over the seeds. For the first metric of each protocol,
``<protocol> over seeds/...`` are ``<metric>_low`` and ``<metric>_high``, the 95 % interval of that mean by Student's t, and
``<metric>_n``, the number of seeds. MLflow draws a chart of every metric, so all others are only in the artifact
``over_seeds.json``, which its pages show as a table. A mean changes whenever another seed is done, so the step of a point is
the number of seeds; MLflow shows the last step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from configs.component import digest
from grid.ledger.study import CellView, Study
from grid.results.columns import Column
from grid.results.result import Result
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.measure import UNBOUNDED, Range, clipped
from grid.tracking.artifacts import files_of, scratch
from grid.tracking.files import table_file
from grid.tracking.links import links
from grid.tracking.metrics import Point
from grid.tracking.names import safe
from grid.tracking.record import GROUP, HIDDEN, KIND, LAYOUT, NOTE, PARENT, STUDY, Record
from grid.tracking.run import Change, Known, Replace
from grid.tracking.runs import Runs

LEVEL = 0.95  # of the intervals
TABLE, SYNCED = "over_seeds.json", "facegrid.synced.over_seeds"  # an artifact with all means, and the tag with its digest
HEADINGS = ["metric", "mean", "low", "high", "seeds"]
LAYOUT_VERSION = "4"  # of these runs, see ``grid.tracking.record.LAYOUT``
SEPARATE = ("seed", REPLICATE)  # params in which the cells of a group differ
Columns = Sequence[tuple[str, Column]]  # of results, each with the name of its metric in MLflow


@dataclass(frozen=True)
class Summary:
    """A metric over seeds. Without an interval if there is one seed, or if all are equal, which tells nothing about others."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Mean:
    """One metric of a combination of levels over its seeds.

    Attributes:
        key: name of the metric in MLflow
        first: it is the first headline of its protocol
    """

    key: str
    column: Column
    summary: Summary
    first: bool


def summary(values: Sequence[float], ends: Range = UNBOUNDED) -> Summary:
    """The mean of ``values``, one per seed, and its 95 % interval by Student's t.

    Args:
        ends: the smallest and the largest value that they can have; the interval is clipped to them.
    """
    from scipy.special import stdtrit

    found = np.asarray(values, np.float64)
    mean, n = float(f"{found.mean():.12g}"), len(found)  # not 0.9349999999999999
    if n < 2 or float(np.ptp(found)) == 0:
        return Summary(mean, None, None, n)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2) * found.std(ddof=1) / n**0.5)
    return Summary(mean, *clipped(mean - half, mean + half, ends, values), n)


def names_over_seeds(key: str) -> dict[str, str]:
    """``low``, ``high`` and ``n`` -> the name of that metric in MLflow, for the metric with this name."""
    group, slash, last = key.rpartition("/")
    return {
        part: safe(f"{group} over seeds/{last}_{part}" if slash else f"over seeds/{last}_{part}")
        for part in ("low", "high", "n")
    }


def key_of(cell: CellView) -> str | None:
    """What identifies the run of a cell's combination of levels in a study; None if it has no replicates."""
    if REPLICATE not in cell.levels:
        return None
    return f"group/{digest(other_levels(cell.levels))[:32]}"


def under_group(study: Study, runs: Runs, cell: CellView, record: Record) -> Record:
    """The record of a cell as a child of the run of its combination, which is created if missing."""
    if (key := key_of(cell)) is None:
        return record
    parent = runs.known.get(key) or runs.create(key, _record(study, key, [(cell, record)]))
    return replace(record, tags={**record.tags, PARENT: parent.run_id})


def copy_groups(
    study: Study, runs: Runs, records: Mapping[str, Record], columns: Columns, thorough: bool, report: str | None
) -> list[str]:
    """Writes what MLflow lacks of the runs of all combinations; returns messages about replaced runs.

    Args:
        records: of the cells that have a run, by their ids
        thorough: tables that MLflow has lost are copied again
        report: address of the report on MLflow's pages
    """
    said: list[str] = []
    members: dict[str, list[CellView]] = {}
    for cell in study.cells:
        if cell.id in records and cell.id in runs.known and (key := key_of(cell)):
            members.setdefault(key, []).append(cell)
    for key, cells in members.items():
        shown = [cell for cell in cells if not cell.hidden] or cells
        pairs = [(cell, records[str(cell.id)]) for cell in shown]
        record = _record(study, key, pairs)
        means = _means([runs.known[str(cell.id)] for cell in shown], columns)
        note = _note(study, record, pairs, means, report)
        runs.fill(key, record, record.name, partial(_fill, runs, record, cells, means, note, thorough), said)
    _leave(runs, members)
    return said


def _fill(
    runs: Runs, record: Record, cells: Sequence[CellView], means: Sequence[Mean], note: str, thorough: bool, known: Known
) -> None:
    """Writes what MLflow lacks of the run of a combination; raises Replace as ``_points`` does."""
    change = Change(points=list(_points(runs, known, means, record)), tags={NOTE: note})
    for cell in cells:
        runs.mark(runs.known[str(cell.id)], PARENT, known.run_id)
    with scratch() as folder:
        _add_table(runs, known, means, Path(folder), change, thorough)
        runs.apply(known, change, record)


def _leave(runs: Runs, wanted: Collection[str]) -> None:
    """Hides groups that the grid file no longer has, and takes their cells out."""
    left = {known.run_id: known for key, known in runs.known.items() if GROUP in known.tags and key not in wanted}
    for known in runs.known.values():
        if known.tags.get(KIND) == "cell" and known.tags.get(PARENT) in left:
            runs.unmark(known, PARENT)
    for known in left.values():
        runs.mark(known, HIDDEN, "true")


def _record(study: Study, key: str, members: Sequence[tuple[CellView, Record]]) -> Record:
    cell, first = members[0]
    records = [record for _, record in members]
    states = {record.status for record in records}
    status = "RUNNING" if "RUNNING" in states else "FAILED" if "FAILED" in states else "FINISHED"
    done = sum(record.status == "FINISHED" for record in records)
    return Record(
        name=" / ".join(other_levels(cell.levels).values()) or study.name,
        params={name: value for name, value in first.params.items() if name not in SEPARATE},
        tags={
            STUDY: study.id, KIND: "group", GROUP: key, LAYOUT: LAYOUT_VERSION, "facegrid.seeds": str(done),
            HIDDEN: "true" if all(cell.hidden for cell, _ in members) else "false",
            "facegrid.version": first.tags.get("facegrid.version", ""),
        },
        datasets=(),
        status=status,
        start=min(record.start for record in records),
        end=None if status == "RUNNING" else max(record.end or record.start for record in records),
    )  # fmt: skip


def _means(cells: Sequence[Known], columns: Columns) -> list[Mean]:
    """Of the metrics that some of the cells have."""
    found, first = [], {column.protocol: key for key, column in reversed(columns) if column.headline}
    for key, column in columns:
        if values := [cell.metrics[key] for cell in cells if key in cell.metrics]:
            found.append(Mean(key, column, summary(values, column.ends), first.get(column.protocol) == key))
    return found


def _points(runs: Runs, known: Known, means: Sequence[Mean], record: Record) -> Iterator[Point]:
    """The points that the run of a combination lacks.

    Raises:
        Replace: it has a mean over more seeds, another mean over as many, or an interval where there is none.
    """
    time = record.end or record.start
    for one in means:
        found = one.summary
        if not one.column.headline:
            continue
        if known.metrics.get(one.key) != found.mean:
            means_there = runs.history(known, [one.key]).get(one.key, {})
            if means_there and (seeds := max(means_there)) >= found.n:
                raise Replace(
                    f"its {one.key} is {means_there[seeds]!r} over {seeds} seeds and should be {found.mean!r} over {found.n}"
                )
            yield Point(one.key, found.mean, time, found.n)
        if one.first:
            for part, name in names_over_seeds(one.key).items():
                value, there = getattr(found, part), known.metrics.get(name)
                if there is not None and (value is None or (part == "n" and there > value)):
                    raise Replace(f"its {name} is {there!r} and should be {'left out' if value is None else repr(value)}")
                if value is not None and there != value:
                    yield Point(name, float(value), time, found.n)


def _add_table(runs: Runs, known: Known, means: Sequence[Mean], folder: Path, change: Change, thorough: bool) -> None:
    """Adds the table of all means to a change, unless MLflow has it."""
    rows = [[one.key, one.summary.mean, one.summary.low, one.summary.high, one.summary.n] for one in means]
    content = digest({"rows": rows})[:16]
    if not rows or (known.tags.get(SYNCED) == content and not (thorough and TABLE not in files_of(runs.client, known))):
        return
    change.files = folder
    change.tags |= table_file(folder, TABLE, HEADINGS, rows)
    change.ticks[SYNCED] = content


def _note(
    study: Study, record: Record, members: Sequence[tuple[CellView, Record]], means: Sequence[Mean], report: str | None
) -> str:
    seen_at_once = [one for one in means if one.first]
    lines = [f"**{one.key}: {_shown(one)}**, the mean over {one.summary.n} seeds." for one in seen_at_once]
    lines += [
        *links(study, report), "",
        f"A combination of levels of the grid **{study.name}**, over {len(members)} seeds. Metrics are means over the seeds",
        "that have them; those `over seeds` are the 95 % interval of each mean (Student's t) and the number of seeds.",
        f"`{TABLE}` has them for all metrics. The runs of the seeds are the children of this run.",
        "", "| mean over seeds | value, 95 % interval | seeds |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {one.key} | {_shown(one)} | {one.summary.n} |" for one in means if one.column.headline]
    lines += ["", "| replicate | seed | state |", "|---|---|---|"]
    lines += [f"| {cell.levels[REPLICATE]} | {cell.config.get('seed', '')} | {cell.state} |" for cell, _ in members]
    return "\n".join(lines)


def _shown(one: Mean) -> str:
    """``93.50 % [90.27, 96.76]``."""
    value = Result(None, {}, None, "", one.column.key, one.summary.mean, one.summary.low, one.summary.high)
    return f"{one.column.value(value)}{one.column.unit} {one.column.spread(value)}".rstrip()
