"""The table of a study as data: a row per cell, a column per measurement. All printed forms are based on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from grid.ledger.ledger import Damaged, Marker
from grid.ledger.study import CellView, Study, accepted_of, finished
from grid.results.columns import VERIFICATION, Column, listed
from grid.results.measured import results_of
from grid.results.result import Result
from grid.results.sweeps import Sweep, separated, sweeps_of
from grid.spec.stage_kind import StageKind, known_kind

ABSENT = ("none", "no", "off")  # level names that mean the absence of a factor
TITLES = {
    "backbone": "Network",
    "detection": "Face detection",
    "detector": "Face detection",
    "pretraining": "Pre-training",
    "replicate": "Replicate",
}
STATES = ("done", "unfinished", "failed", "blocked", "skipped")
WORDS = {"run": "unfinished"}  # states that reports call by another name

MOST_NAMED = 10  # cells in a note


@dataclass(frozen=True)
class Factor:
    """An axis. ``tick`` is the level shown as a tick, with its absence as an empty field; None: levels are spelled out."""

    axis: str
    title: str
    levels: tuple[str, ...]
    tick: str | None

    def shown(self, row: Row) -> str:
        """The level of a row as printed."""
        level = row.cell.levels.get(self.axis, "")
        return level if self.tick is None else "✓" if level == self.tick else ""


@dataclass(frozen=True)
class Row:
    """The readable results of a cell: damaged outputs count as absent."""

    cell: CellView
    state: str  # done, unfinished, failed, skipped, blocked; ensemble for a row that combines several cells
    reason: str | None
    markers: Mapping[str, Marker]  # the stages with intact outputs
    metrics: Mapping[str, Mapping[str, Any]]  # protocol -> metrics.json; other stages with results by their headings
    lost: Mapping[str, str] = field(default_factory=dict)  # label -> reason, for added explanations that failed or are damaged
    results: tuple[Result, ...] = ()  # every number of the cell

    @property
    def title(self) -> str:
        return self.cell.title

    def value(self, column: Column) -> Result | None:
        """None if the protocol was not evaluated, or has no such metric."""
        return self._by_column.get((column.protocol, column.key))

    def number(self, column: Column) -> float | None:
        """Its value; None where ``value`` is None or has none."""
        found = self.value(column)
        return None if found is None else found.value

    def large_errors(self) -> Iterator[tuple[str, float, float]]:
        """Each target whose mean absolute error exceeds the standard deviation of its training values, and these two numbers.

        The loss in the form l1 is that error in standard deviations. The mean of the values has at most 1.
        """
        config = self.cell.config or {}
        for name, target in (config.get("targets") or {}).items():
            loss = target["loss"] or config["loss"]
            if (loss["name"], loss.get("form")) == ("regression", "l1"):
                found = [self._by_column.get(("targets", f"{name}:{key}")) for key in ("mae", "loss")]
                error, share = (one.value if one else None for one in found)
                if error is not None and share is not None and share > 1:
                    yield name, error, error / share

    @cached_property
    def _by_column(self) -> dict[tuple[str, str], Result]:
        return {(one.heading, one.metric): one for one in self.results if one.heading is not None}


@dataclass(frozen=True)
class Table:
    """The cells of a study that are shown, in the order of the plan."""

    factors: tuple[Factor, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    hidden: int  # number of cells removed from the grid file
    ensembles: tuple[Row, ...] = ()  # rows that combine several cells
    left_out: tuple[str, ...] = ()  # columns in which no cell has a number, and why
    sweeps: tuple[Sweep, ...] = ()  # protocols that are shown together, with columns of their own
    accepted: tuple[str, ...] = ()  # results that count although their code has changed, and why

    @property
    def lines(self) -> tuple[Row, ...]:
        """The rows of a printed table: the cells, then the ensembles."""
        return self.rows + self.ensembles

    @property
    def protocols(self) -> list[str]:
        return list(dict.fromkeys(column.protocol for column in self.columns))

    def under(self, protocol: str) -> list[Column]:
        """The columns of a protocol."""
        return [column for column in self.columns if column.protocol == protocol]

    @property
    def every_column(self) -> tuple[Column, ...]:
        """The columns, and those of each protocol of the sweeps."""
        swept = (
            replace(column, protocol=protocol)
            for sweep in self.sweeps
            for protocol in sweep.protocols.values()
            for column in sweep.columns
        )
        return (*self.columns, *swept)

    @property
    def compared(self) -> list[str]:
        """The protocols that compare pairs of images."""
        return list(dict.fromkeys(column.protocol for column in self.columns if column.task == VERIFICATION))

    @property
    def counts(self) -> dict[str, int]:
        """Number of cells by state; only states that occur."""
        states = [row.state for row in self.rows]
        return {state: states.count(state) for state in STATES if state in states}

    @property
    def states(self) -> str:
        """``counts`` in words: "3 done, 1 failed"."""
        return ", ".join(f"{count} {state}" for state, count in self.counts.items())

    @property
    def replicated(self) -> bool:
        """Whether rows are means over replicates, see ``combinations``."""
        return any(one.replicates is not None for row in self.rows for one in row.results)

    @property
    def whole(self) -> bool:
        """Whether every requested cell is done."""
        return all(row.state in ("done", "skipped") for row in self.rows)

    @property
    def methods(self) -> list[str]:
        """How the printed intervals were computed, one entry per method: ``subject bootstrap (EER, AUC)``."""
        found: dict[str, dict[str, None]] = {}
        for row in self.lines:
            for column in self.columns:
                if (value := row.value(column)) and value.low is not None and value.interval:
                    found.setdefault(value.interval, {})[column.title] = None
        return [f"{method} ({listed(titles)})" for method, titles in found.items()]

    @property
    def doubts(self) -> list[str]:
        """Notes on cells whose network may have learned nothing, or whose training diverged."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for column in self.columns:
                value = row.value(column) if (column.task, column.key) == (VERIFICATION, "auc") else None
                if value is not None and value.low is not None and value.low <= 0.5:
                    what = f"on {column.protocol}, the 95 % interval of the AUC reaches 0.5, the value of guessing"
                    found.setdefault(what, []).append(row.title)
            for name, error, spread in row.large_errors():
                what = (
                    f"the validation error of {name} exceeds the standard deviation of the training values, as after a "
                    "training that diverged"
                )
                found.setdefault(what, []).append(f"{row.title} ({error:.4g} against {spread:.4g})")
        return [f"{what}: {_some(titles)}" for what, titles in found.items()]


def _some(titles: Sequence[str]) -> str:
    """The first titles, and the number of the others."""
    more = len(titles) - MOST_NAMED
    return "; ".join([*titles[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def table(study: Study) -> Table:
    """Reads every shown cell of a study; never raises for damaged outputs."""
    shown = study.shown
    rows = tuple(_row(study, cell) for cell in shown)
    factors = tuple(_factor(axis, levels) for axis, levels in study.axes.items())
    columns, left_out = [], []
    others, sweeps = separated(list(_columns(rows)), sweeps_of(shown))
    for column in others:
        found = [value for row in rows if (value := row.value(column))]
        if found and all(value.value is None for value in found):
            left_out.append(f"{column.title} on {column.protocol}: {found[0].reason or 'no value in any cell'}")
        else:
            columns.append(column)
    hidden, accepted = len(study.cells) - len(shown), tuple(accepted_of(shown))
    return Table(factors, tuple(columns), rows, hidden, left_out=tuple(left_out), sweeps=sweeps, accepted=accepted)


def _factor(axis: str, levels: Sequence[str]) -> Factor:
    title = TITLES.get(axis, axis.replace("_", " ").capitalize())
    present = [level for level in levels if level not in ABSENT]
    return Factor(axis, title, tuple(levels), present[0] if len(levels) == 2 and len(present) == 1 else None)


def _row(study: Study, cell: CellView) -> Row:
    markers: dict[str, Marker] = {}
    metrics: dict[str, Mapping[str, Any]] = {}
    lost = dict(cell.lost)
    damage = [f"{label}: {why}" for label, why in cell.damage.items() if label not in {*cell.markers, *cell.added}]
    for label in (name for name in cell.names if name in cell.markers):
        marker, kind = cell.markers[label], known_kind(label.kind)
        try:
            if label in cell.damage:
                raise Damaged(cell.damage[label])
            _check(study, marker, kind)
            if (result := kind.result(finished(study.ledger, label, marker))) is not None:
                metrics[kind.heading(label)] = result
            markers[label] = marker
        except Damaged as error:
            if label in cell.added:
                lost[label] = str(error)
            else:
                damage.append(f"{label}: {error}")
    state, reason = WORDS.get(cell.state, cell.state), cell.reason
    if damage and state != "failed":
        state, reason = "unfinished", "; ".join(damage)
    elif state == "unfinished":
        reason = "still to run: " + ", ".join(
            label for label in cell.stages if label not in cell.markers and label not in cell.added
        )
    return Row(cell, state, reason, markers, metrics, lost, tuple(results_of(study.ledger, cell, markers)))


def _check(study: Study, marker: Marker, kind: StageKind) -> None:
    """Verifies by digest the outputs that a report reads; the large weights, which it does not, as in ``Ledger.status``."""
    for name in kind.reads(marker.outputs):
        if name in marker.outputs:
            study.ledger.path(marker, name)


def _columns(rows: Sequence[Row]) -> Iterable[Column]:
    """The columns of all stages with results, in the order of the cells' stages."""
    headings = {known_kind(name.kind).heading(name): name.kind for row in rows for name in row.cell.names}
    for heading, name in headings.items():
        kind, found = known_kind(name), [row.metrics[heading] for row in rows if heading in row.metrics]
        for measure in kind.measures(found):
            yield Column(heading, task=kind.group(found), **vars(measure))
