"""Contact sheets: image x cell, with the attribution drawn over the crop. Raw maps are not modified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grid.ledger.study import Study
from grid.report.panel import TILE
from grid.report.pictured import Pictured
from grid.results import explanation_reader, heatmap
from grid.results.explanation_reader import Column, Explained
from grid.results.heatmap import Scale
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN, StageName

MOST = 10  # images per row


@dataclass(frozen=True)
class Strip:
    """One cell's row of images.

    Attributes:
        tiles: (columns, TILE, TILE, 3) uint8; None if the method was refused. A map that is zero everywhere is labeled.
        scale: the row's scale; None if the method was refused, generates images, or draws each map on its own scale.
        cosines: of each shown pair; empty for images.
        highest: of each map with its own scale, its highest value, in the method's unit; empty if the row has one scale.
    """

    row: Row
    tiles: np.ndarray | None
    scale: Scale | None = None
    refused: str | None = None
    cosines: tuple[float | None, ...] = ()
    highest: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """Crops shared by some cells, before coloring."""

    label: str
    tiles: np.ndarray


@dataclass(frozen=True)
class Sheet:
    """All cells under one explainer."""

    title: str
    target: str  # what is explained, in words
    layers: tuple[str, ...]  # layers that were explained
    images: tuple[dict[str, Any], ...]  # the columns: "key", "identity"; of pairs also "pair", "side", "same"
    left_out: int  # number of images beyond MOST
    inputs: tuple[Inputs, ...]
    strips: tuple[Strip, ...]
    without: tuple[str, ...]  # titles of cells without maps so far
    more: str = ""  # which cells have no row here, and where their maps are


def sheets(study: Study, rows: Sequence[Row], of: Pictured | None = None) -> list[Sheet]:
    """One sheet per explainer finished by any cell, and per map if it makes several.

    Args:
        rows: of all cells.
        of: the cells that may have a row in a sheet; None: all of them.
    """
    titles = dict.fromkeys(name.about for row in rows for name in row.cell.names if name.kind == EXPLAIN)
    works: dict[str, list[tuple[Row, Explained]]] = {}
    for title in titles:
        done = [(row, row.markers[StageName(EXPLAIN, title)]) for row in (of.rows if of else rows) if _has(row, title)]
        works[title] = [(row, explanation_reader.read(study.ledger, title, marker, study.faces)) for row, marker in done]
    names = {title: list(dict.fromkeys(name for _, one in ready for name in one.names)) for title, ready in works.items()}
    shown = of.within(sum(map(len, names.values())), MOST) if of else tuple(rows)
    places, found = set(map(id, shown)), []
    for title, ready in works.items():
        kept = [one for one in ready if id(one[0]) in places]
        sheet = [_sheet(rows, title, name, kept, study) for name in names[title] or [""]]
        count = sum(_has(row, title) for row in rows)
        more = of.words(study.path.name, len(kept), str(study.store)) if of and len(kept) < count else ""
        found += [replace(one, more=more) for one in sheet]
    return [sheet for sheet in found if sheet.strips]


def _has(row: Row, title: str) -> bool:
    return StageName(EXPLAIN, title) in row.markers


def _sheet(rows: Sequence[Row], title: str, name: str, ready: Sequence[tuple[Row, Explained]], study: Study) -> Sheet:
    """The sheet of one explainer; ``name`` is the map's name if the explainer makes several."""
    label = StageName(EXPLAIN, title)
    keys = explanation_reader.columns([one for _, one in ready])
    columns = chosen(keys, MOST)
    strips, crops = [], dict[bytes, tuple[np.ndarray, list[Row]]]()
    for row, one in ready:
        if one.refused is not None:
            strips.append(Strip(row, None, refused=one.refused))
        elif name in one.names:
            tiles = inputs_of(one, columns)
            crops.setdefault(tiles.tobytes(), (tiles, []))[1].append(row)
            strips.append(_strip(row, one, name, columns))
    inputs = tuple(Inputs(_shared(study, owners, [row for row, _ in ready]), tiles) for tiles, owners in crops.values())
    shown = [one.manifest for _, one in ready if one.refused is None]
    return Sheet(
        f"{title} {name}".rstrip(),
        next((str(manifest["target"]) for manifest in shown), ""),
        tuple(dict.fromkeys(str(manifest["layer"]) for manifest in shown if manifest.get("layer"))),
        tuple(keys[key] for key in columns),
        len(keys) - len(columns),
        inputs,
        tuple(strips),
        tuple(row.title for row in rows if label in row.cell.stages and label not in row.markers),
    )


def _strip(row: Row, one: Explained, name: str, columns: Sequence[Column]) -> Strip:
    """Unsigned maps of single images have their own scales, as usual for class activation maps; others share the row's."""
    maps = one.maps(name)
    if one.paired or one.painted or one.scale(name, maps).signed:
        return Strip(row, *tiles_of(one, name, columns), cosines=cosines_of(one, columns))
    scales = {key: Scale.of(maps[place], signed=False) for key, place in one.places.items()}
    tiles = np.concatenate([tiles_of(one, name, [key], scales.get(key))[0] for key in columns])
    return Strip(row, tiles, highest=tuple(scales[key].high if key in scales else None for key in columns))


def chosen(keys: dict[Column, dict[str, Any]], most: int) -> list[Column]:
    """The first ``most`` images; for pairs, whole pairs, half of them genuine as far as available."""
    if not any(image.get("pair") is not None for image in keys.values()):
        return list(keys)[:most]
    pairs: dict[int | None, list[Column]] = {}
    for key, image in keys.items():
        pairs.setdefault(image.get("pair"), []).append(key)
    same = [pair for pair, both in pairs.items() if keys[both[0]].get("same")]
    other = [pair for pair in pairs if pair not in same]
    wanted = most // 2
    genuine = max(wanted - wanted // 2, wanted - len(other))
    taken = {*same[:genuine], *other[: wanted - min(genuine, len(same))]}
    return [key for pair, both in pairs.items() if pair in taken for key in both]


def inputs_of(one: Explained, columns: Sequence[Column]) -> np.ndarray:
    """(columns, TILE, TILE, 3): the crops, gray where this cell has none."""
    crops, places = one.crops(), one.places
    order = [places.get(key) for key in columns]
    return np.stack([heatmap.blank(TILE) if n is None else heatmap.tile(crops[n], None, Scale(), TILE) for n in order])


def tiles_of(
    one: Explained, name: str, columns: Sequence[Column], scale: Scale | None = None
) -> tuple[np.ndarray, Scale | None]:
    """(the drawn maps in the form of ``inputs_of``, the common scale of the row); pairs refused by the method stay gray.

    For a method that generates images, these images, unchanged and without a scale.
    """
    crops, maps, places, refused = one.shown(), one.maps(name), one.places, one.refused_pairs
    scale = scale or one.scale(name, maps)
    tiles = []
    for key in columns:
        n = places.get(key)
        if n is None or key[1] in refused:
            tiles.append(heatmap.blank(TILE, "" if n is None else "refused"))
        else:
            tiles.append(heatmap.tile(crops[n], None if one.painted else maps[n], scale, TILE))
    return np.stack(tiles), None if one.painted else scale


def cosines_of(one: Explained, columns: Sequence[Column]) -> tuple[float | None, ...]:
    """One per pair in the columns; empty for images."""
    images = {explanation_reader.column(image): image for image in one.images}
    return tuple(
        images[key].get("cosine") if key in images else None for key in columns if key[2] == explanation_reader.SIDES[0]
    )


def _shared(study: Study, owners: Sequence[Row], among: Sequence[Row]) -> str:
    """The levels that the cells with the same crops share and some other cells lack."""
    told = []
    for axis in study.axes:
        levels = {row.cell.levels.get(axis) for row in owners}
        if len(levels) == 1 and any(row.cell.levels.get(axis) not in levels for row in among):
            told.append(f"{axis}={next(iter(levels))}")
    return ", ".join(told) or "all cells"
