"""All maps of one method side by side, pair by pair (Xu et al., Fig. 3: the pair, then S, S+ and S- of both images)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grid.ledger.study import Study
from grid.report.panel import Band, Group, Panel
from grid.report.sheet_png import feet, kind
from grid.report.sheets import chosen, cosines_of, inputs_of, tiles_of
from grid.results.decisions import decisions
from grid.results.explanation_reader import Column, Explained, column
from grid.results.heatmap import Scale
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN, StageName
from modules.metrics.decision_outcomes import OUTCOMES

PAIRS = 20  # images on a sheet, two per pair


def pair_panel(study: Study, row: Row, one: Explained) -> Panel | None:
    """Rows are pairs; None if the method makes fewer than two maps, or maps without a common scale."""
    maps = {name: one.maps(name) for name in one.names}
    if not one.paired or len(maps) < 2 or len({one.scale(name, found).signed for name, found in maps.items()}) > 1:
        return None
    keys = {column(image): image for image in one.images}
    decided = decisions(study.ledger, row, StageName(EXPLAIN, one.title), one.images)
    columns = by_outcome(list(keys), decided.outcomes, PAIRS) if decided else chosen(keys, PAIRS)
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
        outcome = f", {decided.outcomes[image['pair']]}" if decided else ""
        label = f"pair {image['pair']}: {kind(bool(image['same']))}{outcome}\n{who}" + (f"\n{said}" if said else "")
        bands.append(Band(label, np.concatenate(tiles), scale, feet=feet(cosines_of(one, both)), mark=bool(image["same"])))
    heads = (Group("pair", 2), *(Group(name, 2) for name in maps))
    left = (len(keys) - len(columns)) // 2
    more = f"; {left} more pairs not shown" if left else ""
    limit = f"; accepted from {decided.threshold:.3f}, the best threshold of {decided.protocol}" if decided else ""
    caption = f"{row.title}; {one.words}; one scale per row, for all maps of the pair{limit}{more}"
    return Panel(f"{study.name}: {one.title}", caption, heads, tuple(bands))


def by_outcome(columns: Sequence[Column], outcomes: Sequence[str], most: int) -> list[Column]:
    """At most ``most`` images of whole pairs, by outcome: as many of each as possible, up to equal numbers.

    Args:
        columns: the images of all pairs, left and right alternating
        outcomes: of each pair
        most: number of images
    """
    turns = {kind: [n for n, found in enumerate(outcomes) if found == kind] for kind in OUTCOMES}
    order = sorted((turn, OUTCOMES.index(kind), pair) for kind, pairs in turns.items() for turn, pair in enumerate(pairs))
    taken = sorted(order[: most // 2], key=lambda one: one[1:])
    return [columns[2 * pair + side] for _, _, pair in taken for side in (0, 1)]
