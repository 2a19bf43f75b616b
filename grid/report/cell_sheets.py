"""One cell under all its explainers: methods x images (Ito et al., Fig. 3) and methods x pairs (Xu et al., Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

from grid.ledger.study import Study
from grid.report.panel import Band, Panel
from grid.report.sheet_png import feet, groups
from grid.report.sheets import MOST, chosen, cosines_of, inputs_of, tiles_of
from grid.results import explanation_reader
from grid.results.explanation_reader import Column, Explained
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN

PAIRS = 12  # images on a sheet of pairs, two per pair


def of_cell(study: Study, row: Row) -> list[Explained]:
    """The explanations of every explainer that finished or refused the cell, in the order of the grid file."""
    names = [name for name in row.cell.names if name.kind == EXPLAIN and name in row.markers]
    return [explanation_reader.read(study.ledger, name.about, row.markers[name], study.faces) for name in names]


def by_probes(works: Sequence[Explained]) -> list[list[Explained]]:
    """Groups explainers that share an image or a pair; explainers with pairs from another protocol form separate groups."""
    sets: list[tuple[set[Column], list[Explained]]] = []
    for one in works:
        for keys, together in sets:
            if not keys.isdisjoint(one.places) or not one.places:
                keys |= one.places.keys()
                together.append(one)
                break
        else:
            sets.append((set(one.places), [one]))
    return [together for _, together in sets]


def cell_panel(study: Study, row: Row, works: Sequence[Explained], paired: bool) -> Panel | None:
    """Rows are methods, columns images, or pairs with left and right side by side; None for fewer than two explainers.

    A refused method keeps its row, with the reason. A refused one without named images is placed on the sheet of images.
    """
    mine = [one for one in works if one.paired == paired]
    drawn = [one for one in mine if one.names]
    if len(mine) < 2 or not drawn:
        return None
    keys = explanation_reader.columns(drawn)
    columns = chosen(keys, PAIRS if paired else MOST)
    widest = max(drawn, key=lambda one: len(set(columns) & set(one.places)))
    bands = [Band("input", inputs_of(widest, columns), feet=feet(cosines_of(widest, columns)))]
    for one in mine:
        if one.refused is not None:
            bands.append(Band(f"{one.title}\n{one.lines}", None, refused=one.refused))
        for name in one.names:
            tiles, scale = tiles_of(one, name, columns)
            bands.append(Band(f"{one.title} {name}".rstrip() + f"\n{one.lines}", tiles, scale))
    left = len(keys) - len(columns)
    more = f"; {left // 2 if paired else left} more {'pairs' if paired else 'images'} not shown" if left else ""
    caption = f"{row.title}; one scale per row, in the method's own unit{more}"
    title = f"{study.name}: methods x {'pairs' if paired else 'images'}"
    return Panel(title, caption, groups([keys[key] for key in columns]), tuple(bands))
