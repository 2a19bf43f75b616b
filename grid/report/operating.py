"""Tables of operating points: FMR and FNMR of each cell at thresholds chosen on other subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from grid.report.latex import latex_file, latex_lines
from grid.report.markdown import joined, pipe_table, plain
from grid.report.text import value_and_interval
from grid.results.combinations import Combination, distinct, grouped, mean_entry
from grid.results.rows import Row, Table
from grid.spec.measure import in_percent
from modules.metrics.operating_points import EXTRAPOLATED, FEW_ERRORS

HEAD = ("Threshold", "FMR [%]", "FNMR [%]", "FMR with failures [%]", "FNMR with failures [%]", "FTE [%]")
RATES = ("fmr", "fnmr", "fmr_with_failures", "fnmr_with_failures")
MARKS = {FEW_ERRORS: "*", EXTRAPOLATED: "†"}
NOTE = (
    "FMR, the false match rate (FAR): impostor pairs accepted. FNMR, the false non-match rate (FRR): genuine pairs "
    "rejected. The threshold for the target FMR is chosen on other subjects than those it decides; given is the median of "
    "these thresholds. FTE, failure to enroll: images without a usable face. Rates with failures count a pair with such an "
    "image as rejected. Brackets: 95 % intervals over subjects, for the thresholds as chosen. * The threshold rests on "
    "fewer than ten impostor pairs. † It is extrapolated: no impostor pair is above it where it was chosen, and the list is"
    " too short for the target FMR. Of replicates: means over them of numbers and of the ends of intervals; thresholds have the"
    " range over all."
)


@dataclass(frozen=True)
class Line(Combination):
    """``fields``: those of ``HEAD``, each as (number, its interval)."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Board:
    """One protocol at one target FMR."""

    protocol: str
    target: str
    lines: tuple[Line, ...]


def boards(table: Table) -> list[Board]:
    """A board per protocol and target FMR, the largest first; evaluations without subjects have none.

    Replicates are one line, and equal ones count once.
    """
    found = []
    for protocol in table.compared:
        groups = grouped(row for row in table.rows if _points(row, protocol))
        targets = {fmr for group in groups for row in group for fmr in _points(row, protocol)}
        for fmr in sorted(targets, key=float, reverse=True):
            there = [[row for row in group if fmr in _points(row, protocol)] for group in groups]
            found.append(Board(protocol, in_percent(fmr), tuple(_line(group, protocol, fmr) for group in there if group)))
    return found


def _line(group: Sequence[Row], protocol: str, fmr: str) -> Line:
    different = tuple(distinct(group, protocol))
    return Line(group[0], len(group), different, _fields([row.metrics[protocol] for row in different], fmr))


def _points(row: Row, protocol: str) -> Mapping[str, Any]:
    return row.metrics.get(protocol, {}).get("operating_points") or {}


def _fields(replicates: Sequence[Mapping[str, Any]], fmr: str) -> tuple[tuple[str, str], ...]:
    """The fields of ``HEAD``, from the metrics of each replicate."""
    points = [metrics["operating_points"][fmr] for metrics in replicates]
    mark = next((MARKS[one] for one in (EXTRAPOLATED, FEW_ERRORS) if any(point["support"] == one for point in points)), "")
    threshold = f"{fmean([point['threshold'] for point in points]):.3f}{mark}"
    spread = f"[{min(point['lowest'] for point in points):.3f}, {max(point['highest'] for point in points):.3f}]"
    rates = [_percent([point[rate] for point in points]) for rate in RATES]
    return ((threshold, spread), *rates, _percent([metrics.get("failure_to_enroll") for metrics in replicates]))


def _percent(entries: Sequence[Mapping[str, Any] | None]) -> tuple[str, str]:
    return value_and_interval(mean_entry(entries), 2, 100)


def operating_records(table: Table) -> list[dict[str, Any]]:
    """A record per protocol, target FMR and cell, with fractions from 0 to 1 and the ends of their 95 % intervals.

    ``threshold`` is the median of those of the parts of the subjects, ``lowest`` and ``highest`` their range; ``support`` says
    whether pairs enough decide it. See ``modules.metrics.operating_points``.
    """
    found = []
    for protocol in table.compared:
        for row in table.rows:
            metrics = row.metrics.get(protocol, {})
            for target, point in (metrics.get("operating_points") or {}).items():
                rates = {rate: point[rate] for rate in RATES} | {"failure_to_enroll": metrics.get("failure_to_enroll")}
                record = {"protocol": protocol, "target_fmr": float(target), "cell": row.cell.id, "levels": row.title}
                record |= {name: point[name] for name in ("threshold", "lowest", "highest", "support")}
                for rate, entry in rates.items():
                    for end, key in (("", "value"), ("_low", "low"), ("_high", "high")):
                        record[f"{rate}{end}"] = entry and entry[key]
                found.append(record)
    return sorted(found, key=lambda one: (table.compared.index(one["protocol"]), -one["target_fmr"]))


def operating_latex(found: Sequence[Board], name: str) -> str:
    """A table per board."""
    tables = []
    for board in found:
        lines = [[line.title, *(" ".join(field).strip() for field in line.fields)] for line in board.lines]
        caption = f"{name}: operating points on {board.protocol}, target FMR {board.target}. {NOTE}"
        tables.append(latex_lines(caption, ["Cell", *HEAD], lines, len(HEAD)))
    return latex_file(tables)


def operating_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board; ends with a line break."""
    lines = [f"# {plain(name)}: operating points", "", plain(NOTE)]
    for board in found:
        lines += ["", f"## {plain(board.protocol)}, target FMR {board.target}", ""]
        rows = ([plain(line.title), *map(joined, line.fields)] for line in board.lines)
        lines += pipe_table(["Cell", *map(plain, HEAD)], rows)
    return "\n".join(lines) + "\n"
