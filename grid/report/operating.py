"""Tables of operating points: FMR and FNMR of each cell at thresholds chosen on other subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.latex import latex_file, latex_lines
from grid.report.markdown import joined, pipe_table, plain
from grid.report.text import records_csv
from grid.results.rows import Row, Table
from grid.spec.measure import in_percent
from modules.metrics.operating_points import EXTRAPOLATED, FEW_ERRORS

HEAD = ("Threshold", "FMR [%]", "FNMR [%]", "FNMR with failures [%]", "FMR with failures [%]", "FTE [%]")
RATES = ("fmr", "fnmr", "fnmr_with_failures", "fmr_with_failures")
MARKS = {FEW_ERRORS: "*", EXTRAPOLATED: "†"}
NOTE = (
    "FMR, the false match rate (FAR): impostor pairs accepted. FNMR, the false non-match rate (FRR): genuine pairs "
    "rejected. The threshold for the target FMR is chosen on other subjects than those it decides; given is the median of "
    "these thresholds. FTE, failure to enroll: images without a usable face. Rates with failures count a pair with such an "
    "image as rejected. Brackets: 95 % intervals over subjects, for the thresholds as chosen. * The threshold rests on "
    "fewer than ten impostor pairs. † It is extrapolated: no impostor pair is above it where it was chosen, and the list is"
    " too short for the target FMR."
)


@dataclass(frozen=True)
class Board:
    """One protocol at one target FMR: (cell, fields of ``HEAD``), each field as (number, its interval)."""

    protocol: str
    target: str
    rows: tuple[tuple[Row, tuple[tuple[str, str], ...]], ...]


def boards(table: Table) -> list[Board]:
    """A board per protocol and target FMR, the largest first; evaluations without subjects have none."""
    found = []
    for protocol in table.compared:
        points = [(row, row.metrics[protocol]) for row in table.rows if row.metrics.get(protocol, {}).get("operating_points")]
        targets = sorted({one for _, metrics in points for one in metrics["operating_points"]}, key=float, reverse=True)
        for fmr in targets:
            rows = tuple((row, _fields(metrics, fmr)) for row, metrics in points if fmr in metrics["operating_points"])
            found.append(Board(protocol, in_percent(fmr), rows))
    return found


def _fields(metrics: Mapping[str, Any], fmr: str) -> tuple[tuple[str, str], ...]:
    point = metrics["operating_points"][fmr]
    threshold = f"{point['threshold']:.3f}{MARKS.get(point['support'], '')}"
    spread = f"[{point['lowest']:.3f}, {point['highest']:.3f}]"
    return ((threshold, spread), *(_percent(point[rate]) for rate in RATES), _percent(metrics.get("failure_to_enroll")))


def _percent(entry: Mapping[str, Any] | None) -> tuple[str, str]:
    if entry is None:
        return "–", ""
    return f"{100 * entry['value']:.2f}", f"[{100 * entry['low']:.2f}, {100 * entry['high']:.2f}]"


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
                    ends = {
                        f"{rate}{end}": entry and entry[key] for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))
                    }
                    record |= ends
                found.append(record)
    return sorted(found, key=lambda one: (table.compared.index(one["protocol"]), -one["target_fmr"]))


def operating_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """A line per record."""
    return records_csv(list(records[0]), records)


def operating_latex(found: Sequence[Board], name: str) -> str:
    """A table per board."""
    tables = []
    for board in found:
        lines = [[row.title, *(" ".join(field).strip() for field in fields)] for row, fields in board.rows]
        caption = f"{name}: operating points on {board.protocol}, target FMR {board.target}. {NOTE}"
        tables.append(latex_lines(caption, ["Cell", *HEAD], lines, len(HEAD)))
    return latex_file(tables)


def operating_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board; ends with a line break."""
    lines = [f"# {plain(name)}: operating points", "", plain(NOTE)]
    for board in found:
        lines += ["", f"## {plain(board.protocol)}, target FMR {board.target}", ""]
        rows = ([plain(row.title), *map(joined, fields)] for row, fields in board.rows)
        lines += pipe_table(["Cell", *map(plain, HEAD)], rows)
    return "\n".join(lines) + "\n"
