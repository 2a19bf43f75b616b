"""The results table for a terminal of 100 columns."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from grid.ledger.study import Study
from grid.report.ensembles import with_ensembles
from grid.report.searches import columns, fields, ordered, summary
from grid.report.sweeps import columns_of, sweep_lines
from grid.results import rows
from grid.results.columns import Column, units_note
from grid.results.combinations import combined
from grid.results.fitting_table import FittingTable
from grid.results.result import Result
from grid.results.searches import SearchView, searches
from grid.results.sweeps import Sweep
from grid.terminal import counted, one_line

COLORS = {
    "done": "green",
    "failed": "bold red",
    "unfinished": "yellow",
    "blocked": "yellow",
    "skipped": "dim",
    "ensemble": "cyan",
}


def table(study: Study, without: frozenset[str] = frozenset()) -> Group:
    """The headline numbers of every cell: a table per task, with a line per protocol. The page has the other numbers.

    Args:
        without: states of cells whose reasons are not listed below, such as "failed"
    """
    every = with_ensembles(study, rows.table(study))
    found = combined(every)
    tasks = dict.fromkeys(column.task for column in found.columns)
    groups = [list(dict.fromkeys(column.protocol for column in found.columns if column.task == task)) for task in tasks]
    tables = [_table(study.name, found, protocols) for protocols in groups or [[""]]]
    more = [*(_swept(found, sweep) for sweep in found.sweeps), *map(_searched, searches(study))]
    return Group(*map(FittingTable, [*tables, *more]), _caption(every, found.replicated, without))


def _table(name: str, found: rows.Table, protocols: list[str]) -> RichTable:
    """The cells under the protocols of one task."""
    several = len(protocols) > 1
    title = Text(name + (f" on {protocols[0]}" if protocols[0] and not several else ""))
    out = _empty(title)
    out.collapse_padding = True  # so that twelve cells of three factors fit in 100 columns
    for factor in found.factors:
        heading = factor.title.replace("-", "-\n")
        least = max(map(len, heading.split()), default=0)
        out.add_column(Text(heading), justify="center" if factor.tick else "left", overflow="fold", min_width=least)
    if several:
        out.add_column("Protocol", overflow="fold")
    shown = [column for column in found.columns if column.headline and column.protocol in protocols]
    titles = list(dict.fromkeys(column.title for column in shown)) or ["Accuracy"]
    for heading in titles:
        out.add_column(Text(heading.replace(", ", ",\n").replace("-", "-\n")), justify="right", no_wrap=True)
    out.add_column("State", no_wrap=True, min_width=max((len(row.state) for row in found.lines), default=0))
    for row in found.lines:
        for place, protocol in enumerate(protocols):
            fields = [Text(factor.shown(row) if place == 0 else "") for factor in found.factors]
            if several:
                fields.append(Text(protocol))
            columns = {column.title: column for column in shown if column.protocol == protocol}
            fields += [_number(row, columns.get(heading)) for heading in titles]
            fields.append(Text(row.state if place == 0 else "", style=COLORS[row.state]))
            out.add_row(*fields)
    return out


def _swept(found: rows.Table, sweep: Sweep) -> RichTable:
    """A sweep's headline numbers: a line per cell and value of the setting."""
    columns = columns_of(found, sweep)
    out = _empty(Text(sweep.title))
    out.add_column("Cell", overflow="fold")
    for heading in (sweep.setting, *(column.title for column in columns if column.headline)):
        out.add_column(Text(heading.replace(", ", ",\n").replace("-", "-\n")), justify="right", no_wrap=True)
    before = None
    for row, text, values in sweep_lines(found, sweep):
        numbers = [_shown(column, value) for column, value in zip(columns, values, strict=True) if column.headline]
        out.add_row(Text("" if row is before else row.title), Text(text), *numbers)
        before = row
    return out


def _searched(search: SearchView) -> RichTable:
    """The trials of a search."""
    out = _empty(Text(summary(search)))
    for place, title in enumerate(columns(search)):
        out.add_column(Text(title.replace(" ", "\n", 1)), justify="left" if place in (1, 6) else "right", overflow="fold")
    for trial in ordered(search):
        out.add_row(*map(Text, fields(trial)))
    return out


def _empty(title: Text) -> RichTable:
    return RichTable(title=title, title_justify="left", pad_edge=False, box=None, header_style="bold")


def _number(row: rows.Row, column: Column | None) -> Text:
    return _shown(column, row.value(column) if column else None)


def _shown(column: Column | None, value: Result | None) -> Text:
    if column is None or value is None or value.value is None:
        return Text("–", style="dim")
    text = Text(column.value(value))
    if value.half:
        text.append(f" ±{column.text(value.half)}", style="dim")
    if value.seeds_low is not None and value.value is not None:
        half = max(value.value - value.seeds_low, (value.seeds_high or value.value) - value.value)
        text.append(f"\n±{column.text(half)} seeds", style="dim")
    return text


def _caption(found: rows.Table, replicated: bool, without: frozenset[str]) -> Text:
    said = [found.states]
    said += [f"✓ in {factor.title} is {factor.tick}" for factor in found.factors if factor.tick]
    said += [f"{found.hidden} cells left the grid file"] if found.hidden else []
    noise = "± is the wider side of a 95 % interval (not paired)"
    if replicated:
        noise += (
            "; the one in the first line is over test items, that of seeds over replicates; each replicate is in results.csv"
        )
    swept = (column for sweep in found.sweeps for column in columns_of(found, sweep))
    said += [f"{units_note(column for column in (*found.columns, *swept) if column.headline)}; {noise}"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in found.lines:
        if row.reason and row.state not in {"done", *without}:
            reasons.setdefault((row.state, row.reason), []).append(row.title)
    why = [
        one_line(f"{state}: {title}: {reason}")
        for (state, reason), titles in reasons.items()
        for title in (titles if state == "failed" else [titles[0] if len(titles) == 1 else counted(len(titles), "cell")])
    ]
    lost = [
        one_line(f"added, and failed: {row.title}: {label}: {why_not}")
        for row in found.rows
        for label, why_not in row.lost.items()
    ]
    return Text("\n".join(["; ".join(said), *why, *lost, *(one_line(line, 2000) for line in found.doubts)]))
