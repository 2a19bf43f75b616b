"""Explanation scores as Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from grid.report.markdown import pipe_table, plain
from grid.report.scores import CENTER, Line, Table, reasons, remark
from grid.report.table_csv import cells_csv
from grid.results.explanation_scores import Scored

NOTE = (
    "Brackets are 95 % intervals; bold beats the center baseline: the paired 95 % interval of the difference lies on the "
    "better side of 0. No correction is made for looking at many methods. A good map of differences, such as S-, has a low "
    "insertion and a high deletion of the cosine. Seconds are of the method alone, for all its probes."
)
FIELDS = ("value", "low", "high")


def scores_markdown(tables: Sequence[Table], name: str) -> str:
    """A pipe table per kind of probes and cell, and the refusals; ends with a line break."""
    lines = [f"# Explanations of {plain(name)}, scored", "", NOTE]
    for table in tables:
        for group in table.groups:
            lines += ["", f"## {table.of.capitalize()}: {plain(group.row.title)}", ""]
            heads = [plain(one.title) + " (less is better)" * one.lower_is_better for one in table.headings]
            head = ["Method", *heads, "Sanity", "Scored", "Seconds"]
            lines += pipe_table(head, (_fields(line, table) for line in group.lines), f"l{'r' * len(heads)}lrr")
            if why := reasons(group.lines):
                lines += ["", *(f"* {plain(one)}" for one in why)]
    return "\n".join(lines) + "\n"


def _fields(line: Line, table: Table) -> list[str]:
    name = f"*{plain(line.title)}*" if line.baseline else plain(line.title)
    if line.refused:
        return [name, *("refused" for _ in table.headings), "", "", ""]
    found = []
    for heading in table.headings:
        number = line.numbers.get((heading.score, heading.place))
        if number is None:
            found.append(plain(line.troubles[heading.score][0]) if heading.score in line.troubles else "–")
            continue
        text = f"**{number.text}**" if number.beats else number.text
        found.append(" ".join(part for part in (text, number.spread, plain(remark(number, heading))) if part))
    flags = "" if line.flags is None else ", ".join(line.flags) or "passed"
    return [name, *found, flags, line.count, "" if line.seconds is None else f"{line.seconds:.2f}"]


def scores_csv(found: Sequence[Scored], axes: Sequence[str]) -> str:
    """A line per number, including baselines, and per score without numbers; in the format of ``table.csv``."""
    above = [f"above_{CENTER}", f"above_{CENTER}_low", f"above_{CENTER}_high"]
    columns = ("method", "map", "baseline", "score", "number", *FIELDS, *above)
    columns += ("of", "count", "missing", "state", "reason", "flags")
    return cells_csv(axes, columns, ((one.row, line) for one in found for line in _csv_lines(one)))


def _csv_lines(one: Scored) -> Iterator[list[Any]]:
    if one.state != "done":
        yield [one.method, None, None, one.score, *[None] * 10, one.state, one.reason, None]
        return
    result = one.result or {}
    end = [result["of"], result["count"], result.get("missing", 0), one.state, None]
    for baseline in (False, True):
        for name, entry in result.get("baselines" if baseline else "maps", {}).items():
            flags = " ".join(result.get("flags", {}).get(name, ()))
            for number, value in entry.items():
                center = value.get("above", {}).get(CENTER, {})
                numbers = (of.get(key) for of in (value, center) for key in FIELDS)
                printed = (None if known is None else float(known) for known in numbers)
                yield [one.method, name, "baseline" if baseline else None, one.score, number, *printed, *end, flags]


def scores_json(found: Sequence[Scored]) -> list[dict[str, Any]]:
    """Every score as written, without its details and the values of single images and pairs."""
    return [
        {
            "cell": one.row.cell.id,
            "levels": dict(one.row.cell.levels),
            "explainer": one.method,
            "title": one.score,
            "state": one.state,
            "reason": one.reason,
            "seconds": one.seconds,
            **{key: value for key, value in (one.result or {}).items() if key not in ("details", "each")},
        }
        for one in found
    ]
