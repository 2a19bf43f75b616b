"""The sheets of single cells, in the style of the papers: which there are, and their file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from grid.ledger.study import Study
from grid.report.cell_sheets import by_probes, cell_panel, of_cell
from grid.report.pair_sheets import pair_panel
from grid.report.panel import panel_png
from grid.report.theta_png import theta_png
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN

LONGEST = 200  # maximum length of a title in a file name; file systems allow names of 255 bytes
CELLS = 12  # number of cells with separate sheets: the first of the plan that have maps
KINDS = ("sheet", "cell", "pairs", "maps", "theta", "trend", "clusters")  # prefixes of sheet file names


def figures(study: Study, rows: Sequence[Row]) -> tuple[dict[str, bytes], int]:
    """(PNG by file name, number of cells that have maps but no sheets because there are too many cells).

    ``cell-<levels>``: methods x images; ``pairs-<levels>``: methods x pairs, separately for each protocol;
    ``maps-<levels>-<explainer>``: pair by pair, all maps of one method; ``theta-<levels>-<explainer>``: pairwise occlusion.
    """
    made: dict[str, bytes] = {}
    ready = [row for row in rows if any(marker.kind == EXPLAIN for marker in row.markers.values())]
    for row in ready[:CELLS]:
        levels = "-".join(row.cell.levels.values()) or "only"
        for kind, title, data in _of(study, row):
            made[file_name(kind, f"{levels}-{title}" if title else levels, made)] = data
    return made, len(ready[CELLS:])


def _of(study: Study, row: Row) -> Iterator[tuple[str, str, bytes]]:
    works = of_cell(study, row)
    for kind, paired in (("cell", False), ("pairs", True)):
        for some in by_probes([one for one in works if one.paired == paired]):
            if panel := cell_panel(study, row, some, paired):
                yield kind, "", panel_png(panel)
    for one in works:
        if panel := pair_panel(study, row, one):
            yield "maps", one.title, panel_png(panel)
        if data := theta_png(study, row, one):
            yield "theta", one.title, data


def file_name(kind: str, title: str, taken: Iterable[str]) -> str:
    """``<kind>-<title>.png`` with characters valid on every file system; a number makes it unique."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title)[:LONGEST].strip("-.") or "explainer"
    name, number = f"{kind}-{plain}.png", 2
    while name.lower() in {other.lower() for other in taken}:
        name, number = f"{kind}-{plain}-{number}.png", number + 1
    return name
