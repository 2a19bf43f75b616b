"""Sequential replication in the report: the replicates of each cell, why it has no more, and intervals that allow for it."""

from __future__ import annotations

from typing import Any

from grid.analysis.records import cell_name
from grid.report.markdown import pipe_table, plain
from grid.results.replication import Replicates
from modules.metrics.sequential_replication import Judged

CELLS_HEAD = ["Cell", "Replicates", "Why no more"]
SHOWN = 200  # differences that are printed; report.json has all
PROVISIONAL = (
    " All of this is provisional: some cells have too few results yet, and the scatter of theirs will count in every interval. "
    "A difference that is closed now may be open again then."
)
STATES = {
    "differs": "significant",
    "narrow": "narrow enough",
    "open": "open",
    "waiting": "too few results",
}


def note(found: Replicates) -> str:
    """What the intervals mean."""
    until = found.rule.until
    what = "the means" if until.of == "means" else "the differences"
    text = (
        f"{found.rule.at_least} to {found.rule.at_most} replicates of each cell, by {until.metric} on {found.protocol}. All "
        f"intervals of {what} hold together with 95 %, at every number of replicates, so they stay right "
        "although results decided when to stop (group-sequential design, repeated confidence intervals). They are about other "
        "seeds, on these test items. Each is the interval after the replicates that closed it, or after the last ones."
    )
    return text + PROVISIONAL if found.found.provisional else text


def cell_rows(found: Replicates) -> list[list[str]]:
    """The fields of ``CELLS_HEAD`` for each cell."""
    return [[cell_name(levels), str(found.done[cell]), _why(found, cell)] for cell, levels in enumerate(found.cells)]


def _why(found: Replicates, cell: int) -> str:
    own = found.of(cell)
    counts = {state: sum(one.state == state for one in own) for state in STATES}
    means = found.rule.until.of == "means"
    said = ", ".join(f"{count} {STATES[state]}" for state, count in counts.items() if count)
    closed = counts["differs"] + counts["narrow"] == len(own)
    if means:
        said = STATES[own[0].state]
    else:
        said = f"of {len(own)} {'difference' if len(own) == 1 else 'differences'}: {said}" if own else "compared with no cell"
    if closed:
        return said
    if found.done[cell] >= found.rule.at_most:
        return f"all {found.rule.at_most} are done; {said}"
    if found.done[cell] < found.found.counts[cell]:
        return f"not finished: {found.found.counts[cell]} are needed; {said}"
    return f"a cell that it is compared with lacks results; {said}"


def contrast_head(found: Replicates) -> list[str]:
    """The titles of the columns of ``contrast_rows``."""
    return ["Mean" if found.rule.until.of == "means" else "Difference", "Replicates", "Value", "Interval", "State"]


def contrast_rows(found: Replicates) -> list[list[str]]:
    """A line per difference or mean, at most ``SHOWN``."""
    return [
        [
            _title(found, one),
            str(one.replicates or ""),
            "" if one.value is None else _number(one.value),
            "none yet" if one.low is None or one.high is None else f"[{_number(one.low)}, {_number(one.high)}]",
            STATES[one.state],
        ]
        for one in found.found.contrasts[:SHOWN]
    ]


def tables(found: Replicates) -> list[tuple[list[str], list[list[str]], str]]:
    """Both tables of the page: head, lines and what they are."""
    return [
        (CELLS_HEAD, cell_rows(found), "Replicates of each cell"),
        (contrast_head(found), contrast_rows(found), "Differences and their intervals"),
    ]


def replication_markdown(found: Replicates, name: str) -> str:
    """Both tables; ends with a line break."""
    lines = [f"# {plain(name)}: sequential replication", "", plain(note(found)), ""]
    lines += pipe_table(CELLS_HEAD, ([*map(plain, row)] for row in cell_rows(found)), "lrl")
    lines += ["", *pipe_table(contrast_head(found), ([*map(plain, row)] for row in contrast_rows(found)), "lrrrl")]
    more = len(found.found.contrasts) - SHOWN
    lines += ["", f"{more} more are in report.json."] if more > 0 else []
    return "\n".join(lines) + "\n"


def replication_json(found: Replicates) -> dict[str, Any]:
    """Everything, as in ``report.json``."""
    return {
        **found.rule.model_dump(mode="json"),
        "protocol": found.protocol,
        "provisional": found.found.provisional,
        "cells": [
            {
                "levels": dict(levels),
                "replicates": found.done[cell],
                "needed": found.found.counts[cell],
                "why": _why(found, cell),
            }
            for cell, levels in enumerate(found.cells)
        ],
        "contrasts": [
            {
                "first": dict(found.cells[one.contrast[0]]),
                "second": None if one.contrast[1] is None else dict(found.cells[one.contrast[1]]),
                "replicates": one.replicates,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "state": one.state,
            }
            for one in found.found.contrasts
        ],
    }


def _title(found: Replicates, one: Judged) -> str:
    first, second = one.contrast
    name = cell_name(found.cells[first])
    return name if second is None else f"{name} − {cell_name(found.cells[second])}"


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
