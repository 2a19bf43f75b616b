"""The differences between two studies as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grid.analysis import words
from grid.analysis.records import cell_name, uncertainty
from grid.analysis.result_changes import SAME, ResultChange
from grid.analysis.setup_changes import Change
from grid.results.columns import Column
from grid.terminal import counted

KINDS = {"version": "Versions", "cells": "Cells", "settings": "Settings", "data": "Data", "code": "Code"}
LONG = 60  # characters of a value
SHOWN = 40  # lines of one kind


def changes_text(names: tuple[str, str], setup: Sequence[Change], results: Sequence[ResultChange]) -> str:
    """Paragraphs: what differs before any result, and then what differs in the results beyond noise."""
    lines = [f"{names[0]} -> {names[1]}", ""]
    for kind, title in KINDS.items():
        own = [change for change in setup if change.kind == kind]
        lines += [title if own else f"{title}: no difference"]
        lines += [f"  {_setup(change)}" for change in own[:SHOWN]]
        lines += [f"  and {len(own) - SHOWN} more"] if len(own) > SHOWN else []
    lines += ["", "Results"]
    if not results:
        return "\n".join([*lines, "  no cell of both has a result under a protocol of both"])
    for protocol in dict.fromkeys(change.column.protocol for change in results):
        lines += _under([change for change in results if change.column.protocol == protocol], protocol)
    notes = [f"  Differences {change.method}." for change in results if change.estimate]
    lines += ["", *dict.fromkeys(notes)]
    if any(change.estimate for change in results) and not all(change.seeds for change in results if change.estimate):
        lines.append("  Where a cell was trained once, what another seed would change is not included.")
    return "\n".join(lines)


def _setup(change: Change) -> str:
    where = f" (in {change.cells} of {change.of} cells)" if change.of else ""
    return f"{change.what}: {_short(change.first)} -> {_short(change.second)}{where}"


def _short(value: str) -> str:
    return value if len(value) <= LONG else value[: LONG - 3] + "..."


def _under(results: Sequence[ResultChange], protocol: str) -> list[str]:
    """The lines of one protocol; metrics that are the same computation in all cells share the first."""
    by_column: dict[Column, list[ResultChange]] = {}
    for change in results:
        by_column.setdefault(change.column, []).append(change)
    same = {column: own for column, own in by_column.items() if all(change.method == SAME for change in own)}
    lines = []
    if same:
        what = f"all {len(same)} metrics" if len(same) == len(by_column) > 1 else ", ".join(column.title for column in same)
        cells = counted(max(map(len, same.values())), "cell")
        lines.append(f"  {what} on {protocol}: the same computation in {cells}")
    return lines + [line for column, own in by_column.items() if column not in same for line in _results(own)]


def _results(own: Sequence[ResultChange]) -> list[str]:
    column = own[0].column
    same = sum(change.method == SAME for change in own)
    differ = [change for change in own if change.differs]
    tested = sum(change.adjusted is not None for change in own)
    title = f"  {column.title} on {column.protocol}: {len(differ)} of {tested} tested cells differ (p below 0.05 after Holm)"
    lines = [title + (f"; {same} are the same computation" if same else "")]
    return lines + [f"    {change_line(change)}" for change in sorted(differ, key=lambda one: one.adjusted or 0.0)]


def change_line(change: ResultChange) -> str:
    """``resnet34, mtcnn: 91.20 -> 93.10, +1.90 points [+0.80, +3.00], p 0.004``."""
    name, column = cell_name(dict(change.levels)), change.column
    value = words.difference(column, change.second - change.first) + words.unit(column)
    text = f"{name}: {column.text(change.first)} -> {column.text(change.second)}, {value}"
    if change.estimate is None or change.adjusted is None:
        return f"{text} ({change.method})"
    low, high = (words.difference(column, end) for end in (change.estimate.low, change.estimate.high))
    return f"{text} [{low}, {high}], p {words.probability(change.adjusted)}"


def changes_json(names: tuple[str, str], setup: Sequence[Change], results: Sequence[ResultChange]) -> dict[str, Any]:
    """Everything, with fractions from 0 to 1."""
    return {
        "first": names[0],
        "second": names[1],
        "setup": [vars(change) for change in setup],
        "results": [
            {
                "protocol": change.column.protocol,
                "metric": change.column.key,
                "levels": dict(change.levels),
                "first": change.first,
                "second": change.second,
                **uncertainty(change.estimate),
                "adjusted": change.adjusted,
                "method": change.method,
                "seeds": change.seeds,
            }
            for change in results
        ],
    }
