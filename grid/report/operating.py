"""Tables of operating points: FMR and FNMR of each cell at thresholds chosen on other subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.markdown import line, plain
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


def operating_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board; ends with a line break."""
    lines = [f"# {plain(name)}: operating points", "", plain(NOTE)]
    for board in found:
        lines += ["", f"## {plain(board.protocol)}, target FMR {board.target}", ""]
        lines += [line(["Cell", *(plain(title) for title in HEAD)]), line([":-", *("-:" for _ in HEAD)])]
        for row, fields in board.rows:
            lines.append(line([plain(row.title), *(plain(" ".join(field).strip()) for field in fields)]))
    return "\n".join(lines) + "\n"
