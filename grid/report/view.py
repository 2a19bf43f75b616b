"""Data of the page's interactive view: raw maps and crops of all cells, packed into one JSON text.

Maps keep their original resolution. Each number is a float16 of (value / peak), where peak is the largest magnitude of that
method in that cell: the error of a value is at most peak / 2048.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.analysis.records import cell_name
from grid.ledger.study import Study
from grid.report.cell_sheets import of_cell
from grid.results import explanation_reader
from grid.results.explanation_reader import Column, Explained
from grid.results.heatmap import colored, jpeg
from grid.results.rows import Row

BUDGET = 25_000_000  # maximum number of characters that maps and crops add to the page
JPEG = 92


@dataclass(frozen=True)
class View:
    """Attributes:
    data: JSON; see ``_packed``.
    shown, images: how many of the probe images (a pair counts as two) are inside the page, and how many there are.
    """

    data: str
    shown: int
    images: int


def view(study: Study, rows: Sequence[Row], budget: int = BUDGET) -> View | None:
    """The view; None if no cell has a map or a refusal."""
    cells = [(row, of_cell(study, row)) for row in rows]
    cells = [(row, works) for row, works in cells if works]
    if not any(one.names for _, works in cells for one in works):
        return None
    keys = explanation_reader.columns([one for _, works in cells for one in works if one.names])
    names: dict[str, list[str]] = {}  # for refused cells: the names of the maps they would have
    for one in (one for _, works in cells for one in works):
        names[one.title] = list(dict.fromkeys([*names.get(one.title, ()), *one.names]))
    packed = _Packed()
    entries: list[dict[str, Any]] = []
    for number, (_, works) in enumerate(cells):
        entries += [_entry(packed, number, one, name) for one in works for name in one.names or names[one.title] or [""]]
    groups = list(dict.fromkeys(_group(key) for key in keys))
    kept = packed.within(groups, budget)
    columns = [key for key in keys if _group(key) in kept]
    place = {key: number for number, key in enumerate(columns)}
    for entry in entries:
        entry["maps"] = {place[key]: found for key, found in entry["maps"].items() if key in place}
    used = sorted({n for entry in entries for pair in entry["maps"].values() for n in pair})
    index = {old: new for new, old in enumerate(used)}
    for entry in entries:
        entry["maps"] = {key: [index[n] for n in pair] for key, pair in entry["maps"].items()}
    data = {
        "cells": [{"title": row.title, "name": cell_name(row.cell.levels)} for row, _ in cells],
        "methods": list(dict.fromkeys(entry["title"] for entry in entries)),
        "images": [_image(keys[key]) for key in columns],
        "entries": entries,
        "blobs": [packed.blobs[n] for n in used],
        "colors": {name: _colors(signed) for name, signed in (("sequential", False), ("diverging", True))},
    }
    return View(json.dumps(data, separators=(",", ":")), len(columns), len(keys))


class _Packed:
    """Texts that several maps may share, and the size of each image."""

    def __init__(self) -> None:
        self.blobs: list[str] = []
        self.places: dict[str, int] = {}
        self.owners: dict[int, list[Column]] = {}

    def add(self, text: str, owner: Column) -> int:
        """Adds a text; returns its number."""
        place = self.places.setdefault(text, len(self.blobs))
        if place == len(self.blobs):
            self.blobs.append(text)
        self.owners.setdefault(place, []).append(owner)
        return place

    def within(self, groups: Sequence[Any], budget: int) -> set[Any]:
        """The first images, or pairs, of all cells and methods that fit into the budget together."""
        order = {group: number for number, group in enumerate(groups)}
        costs = [0] * len(groups)
        for place, owners in self.owners.items():  # counted for the first image that needs it
            costs[min(order[_group(owner)] for owner in owners)] += len(self.blobs[place])
        fits = np.cumsum(costs) <= budget
        return {group for group, fit in zip(groups, fits, strict=True) if fit}


def _group(key: Column) -> Any:
    """The budget unit of an image: a pair is included completely or not at all."""
    return key[0] if key[1] is None else key[1]


def _entry(packed: _Packed, cell: int, one: Explained, name: str) -> dict[str, Any]:
    """A method on a cell in the page's format: ``maps`` is image -> (number of the crop, number of the map)."""
    entry: dict[str, Any] = {"cell": cell, "title": f"{one.title} {name}".rstrip(), "words": one.words, "maps": {}}
    if one.refused is not None:
        return entry | {"refused": one.refused}
    crops, maps = one.shown(), one.maps(name)
    scale, peak = one.scale(name, maps), float(np.abs(maps).max(initial=0.0))
    refused = one.refused_pairs
    for image, crop, raw in zip(one.images, crops, maps, strict=True):
        key = explanation_reader.column(image)
        if key[1] not in refused:
            entry["maps"][key] = packed.add(_text(jpeg(crop, JPEG)), key), packed.add(pack(raw, peak), key)
    shape = {"size": list(crops.shape[1:3]), "shape": list(maps.shape[1:])}
    pairs = {str(image["pair"]): image.get("cosine") for image in one.images if image.get("pair") is not None}
    if one.painted:
        entry["painted"] = True
    if refused:
        entry["without"] = {str(pair): why for pair, why in refused.items()}
    return entry | shape | {"low": scale.low, "high": scale.high, "signed": scale.signed, "peak": peak, "cosines": pairs}


def pack(raw: np.ndarray, peak: float) -> str:
    """float16 of raw / peak, little endian, base64."""
    unit = raw / peak if peak > 0 else raw
    return _text(unit.astype("<f2").tobytes())


def _image(image: dict[str, Any]) -> dict[str, Any]:
    return {key: image[key] for key in ("key", "identity", "pair", "side", "same") if key in image}


def _colors(signed: bool) -> str:
    """256 colors, RGB bytes, base64."""
    return _text(np.rint(colored(np.linspace(0, 1, 256), signed)).astype(np.uint8).tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
