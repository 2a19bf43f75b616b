"""All maps of one method side by side, pair by pair (Xu et al., Fig. 3: the pair, then S, S+ and S- of both images)."""

from __future__ import annotations

import numpy as np

from grid.ledger.study import Study
from grid.report.panel import Band, Group, Panel
from grid.report.sheet_png import feet, kind
from grid.report.sheets import chosen, cosines_of, inputs_of, tiles_of
from grid.results.explanation_reader import Explained, column
from grid.results.heatmap import Scale
from grid.results.rows import Row

PAIRS = 20  # images on a sheet, two per pair


def pair_panel(study: Study, row: Row, one: Explained) -> Panel | None:
    """Rows are pairs; None if the method makes fewer than two maps, or maps without a common scale."""
    maps = {name: one.maps(name) for name in one.names}
    if not one.paired or len(maps) < 2 or len({one.scale(name, found).signed for name, found in maps.items()}) > 1:
        return None
    keys = {column(image): image for image in one.images}
    columns = chosen(keys, PAIRS)
    bands = []
    for place in range(0, len(columns), 2):
        both = columns[place : place + 2]
        image = keys[both[0]]
        said = one.refused_pairs.get(image["pair"])
        rows = [one.places[key] for key in both]
        signed = one.scale(next(iter(maps)), next(iter(maps.values()))).signed
        scale = Scale.of(np.concatenate([found[rows].reshape(-1) for found in maps.values()]), signed)
        tiles = [inputs_of(one, both), *(tiles_of(one, name, both, scale)[0] for name in maps)]
        who = " and ".join(dict.fromkeys(str(keys[key].get("identity", "")) for key in both))
        label = f"pair {image['pair']}: {kind(bool(image['same']))}\n{who}" + (f"\n{said}" if said else "")
        bands.append(Band(label, np.concatenate(tiles), scale, feet=feet(cosines_of(one, both)), mark=bool(image["same"])))
    heads = (Group("pair", 2), *(Group(name, 2) for name in maps))
    left = (len(keys) - len(columns)) // 2
    more = f"; {left} more pairs not shown" if left else ""
    caption = f"{row.title}; {one.words}; one scale per row, for all maps of the pair{more}"
    return Panel(f"{study.name}: {one.title}", caption, heads, tuple(bands))
