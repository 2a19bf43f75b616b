"""Attribute metrics of cohorts in the report: a table of each metric, with the intervals drawn on one scale, and the gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.attributes import RATES, Board, printed
from grid.report.charts import Whisker
from grid.report.markdown import joined, pipe_table, plain
from grid.results.rows import Row

NOTE = (
    "Each value has the 95 % interval of the cohort by itself. The intervals of the differences from all other images are "
    "simultaneous: those of one metric and cell all hold in 95 % of samples. That of the gap, between the highest and the "
    "lowest cohort, accounts for all pairs of cohorts. P values are adjusted in the same way. Other metrics and cells are not "
    "accounted for."
)


@dataclass(frozen=True)
class CohortLine:
    """One cohort in one cell; all numbers as printed."""

    row: Row
    cohort: str
    images: int
    value: tuple[str, str]
    difference: tuple[str, str]
    p: str
    whisker: Whisker | None


@dataclass(frozen=True)
class GapLine:
    """The gap of one cell, as printed, with the cohorts that it lies between."""

    row: Row
    value: tuple[str, str]
    p: str
    highest: str
    lowest: str


@dataclass(frozen=True)
class CohortTable:
    """One metric by cohort. ``start`` and ``end`` are the ends of the intervals' scale."""

    grouping: str
    title: str
    unit: str  # what the title lacks: percent
    start: str
    end: str
    lines: tuple[CohortLine, ...]
    gaps: tuple[GapLine, ...]


def cohort_tables(board: Board) -> list[CohortTable]:
    """One for each grouping and metric of a target."""
    groupings = dict.fromkeys(grouping for row in board.rows for grouping in board.of(row).get("cohorts", {}))
    return [
        made
        for grouping in groupings
        for key, title, percent in board.columns
        if (made := _table(board, grouping, key, title, percent)).lines
    ]


def uncounted(board: Board, grouping: str) -> list[str]:
    """Sentences on images without a cohort and cohorts that are too small, of the cells where there are any."""
    found = []
    for row in board.rows:
        one = board.of(row).get("cohorts", {}).get(grouping)
        if one and one["unknown"]:
            images = board.of(row)["images"]
            found.append(f"{one['unknown']} of {images} images have no known {grouping} and do not count here.")
        if one and one["left_out"]:
            names = ", ".join(f"{name} ({count})" for name, count in one["left_out"].items())
            found.append(f"Left out, because they have a single subject or image (number of images): {names}.")
    return list(dict.fromkeys(found))


def class_gaps(board: Board, grouping: str) -> list[tuple[Row, str, list[tuple[str, str]]]]:
    """(cell, class, gaps of precision, recall and F1 as printed) of every class that has one."""
    found = []
    for row in board.rows:
        for name in board.classes:
            gaps = [board.per_class(row, name).get(f"{rate}_gap", {}).get(grouping) for rate in RATES]
            if any(gaps):
                found.append((row, name, [printed(one, True) for one in gaps]))
    return found


def _table(board: Board, grouping: str, key: str, title: str, percent: bool) -> CohortTable:
    found: list[tuple[Row, str, int, dict[str, Any], dict[str, Any]]] = []
    gaps = []
    for row in board.rows:
        one = board.of(row).get("cohorts", {}).get(grouping)
        if one is None or key not in one["metrics"]:
            continue
        compared = one["metrics"][key]
        for cohort, entry in compared["cohorts"].items():
            found.append((row, cohort, one["images"][cohort], entry, compared.get("differences", {}).get(cohort, {})))
        if widest := board.of(row).get(f"{key}_gap", {}).get(grouping):
            gaps.append(GapLine(row, printed(widest, percent), _p(widest), widest["highest"], widest["lowest"]))
    ends = [entry[end] for *_, entry, _ in found for end in ("low", "high") if entry.get(end) is not None]
    start, end = (min(ends), max(ends)) if ends else (0.0, 1.0)
    lines = tuple(
        CohortLine(
            row, cohort, images, printed(entry, percent), printed(apart, percent), _p(apart), _whisker(entry, start, end)
        )
        for row, cohort, images, entry, apart in found
    )
    scale = printed({"value": start}, percent)[0], printed({"value": end}, percent)[0]
    return CohortTable(grouping, title, " [%]" if percent else "", *scale, lines, tuple(gaps))


def _p(entry: dict[str, Any]) -> str:
    return f"{entry['p']:.3f}" if entry else ""


def _whisker(entry: dict[str, Any], start: float, end: float) -> Whisker | None:
    return None if entry.get("low") is None else Whisker.of((entry[key] for key in ("low", "value", "high")), start, end)


def cohorts_markdown(boards: Sequence[Board]) -> str:
    """Pipe tables of every metric by cohort; empty without cohorts."""
    lines: list[str] = []
    for board in boards:
        said: set[str] = set()
        for table in cohort_tables(board):
            if not lines:
                lines += ["", "# By cohort", "", NOTE]
            lines += [
                "",
                f"## {plain(board.target)} on {plain(board.protocol)} by {plain(table.grouping)}: {plain(table.title)}",
            ]
            if table.grouping not in said:
                lines += [part for text in uncounted(board, table.grouping) for part in ("", plain(text))]
                said.add(table.grouping)
            difference = f"Difference from the rest{table.unit}"
            head = ["Cell", "Cohort", "Images", plain(table.title + table.unit), difference, "p"]
            lines += ["", *pipe_table(head, _rows(table), "llrrrr")]
    return "\n".join(lines) + "\n" if lines else ""


def _rows(table: CohortTable) -> Iterator[list[str]]:
    for one in table.lines:
        yield [plain(one.row.title), plain(one.cohort), str(one.images), joined(one.value), joined(one.difference), one.p]
    for gap in table.gaps:
        where = f"gap: {gap.highest} over {gap.lowest}"
        yield [plain(gap.row.title), plain(where), "", joined(gap.value), "", gap.p]
