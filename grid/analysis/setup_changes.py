"""What differs between two studies before any result: cells, settings, data and code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grid.ledger.study import CellView, Study
from grid.spec.yaml_source import flat

DATA = ("images", "pairs", "weights", "content")  # first keys of an identity that stand for data, not for settings


@dataclass(frozen=True)
class Change:
    """One difference: ``kind`` is cells, settings, data, code or version; ``cells`` of ``of`` shared cells have it."""

    kind: str
    what: str
    first: str
    second: str
    cells: int | None = None
    of: int | None = None


Cells = Mapping[tuple[tuple[str, str], ...], tuple[CellView, CellView]]


def shared_cells(first: Study, second: Study) -> dict[tuple[tuple[str, str], ...], tuple[CellView, CellView]]:
    """The cells of both studies with equal levels of the axes that both have, where these select one cell of each study."""
    axes = [axis for axis in first.axes if axis in second.axes]
    sides = []
    for study in (first, second):
        own: dict[tuple[tuple[str, str], ...], list[CellView]] = {}
        for cell in study.shown:
            own.setdefault(tuple((axis, cell.levels[axis]) for axis in axes), []).append(cell)
        sides.append({key: cells[0] for key, cells in own.items() if len(cells) == 1})
    return {key: (cell, sides[1][key]) for key, cell in sides[0].items() if key in sides[1]}


def setup_changes(first: Study, second: Study, shared: Cells) -> list[Change]:
    """Every difference, cells first."""
    found = [*_versions(first, second), *_cells(first, second, shared)]
    pairs = list(shared.values())
    found += _settings("settings", [(dict(flat(one.config)), dict(flat(other.config))) for one, other in pairs])
    found += _settings("data", [(_data(first, one), _data(second, other)) for one, other in pairs])
    return [*found, *_code(pairs)]


def _versions(first: Study, second: Study) -> Iterable[Change]:
    for key in ("version", "revision"):
        one, other = (str(study.record.get(key) or "unknown") for study in (first, second))
        if one != other:
            yield Change("version", "facegrid" if key == "version" else "revision", one[:13], other[:13])


def _cells(first: Study, second: Study, shared: Cells) -> Iterable[Change]:
    for axis in dict.fromkeys((*first.axes, *second.axes)):
        one, other = (study.axes.get(axis, []) for study in (first, second))
        if one != other:
            yield Change("cells", f"levels of {axis}", ", ".join(one) or "no such axis", ", ".join(other) or "no such axis")
    counts = [len(study.shown) for study in (first, second)]
    if counts[0] != counts[1] or len(shared) != counts[0]:
        yield Change("cells", f"cells ({len(shared)} in both)", str(counts[0]), str(counts[1]))


def _settings(kind: str, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[Change]:
    """A change per key and pair of values, with the number of cells that have it."""
    values = ((key, _shown(one, key), _shown(other, key)) for one, other in pairs for key in dict.fromkeys((*one, *other)))
    counts = Counter(change for change in values if change[1] != change[2])
    return [Change(kind, *change, count, len(pairs)) for change, count in counts.items()]


def _shown(tree: Mapping[str, Any], key: str) -> str:
    if key not in tree:
        return "not set"
    value = tree[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(study: Study, cell: CellView) -> dict[str, Any]:
    """``train: images`` -> digest: what the stages of a cell read."""
    found = {}
    for label, marker in cell.markers.items():
        for key, value in flat(study.ledger.identity(marker.kind, marker.id)):
            if key.split(".")[0] in DATA and key != "weights.pretrain":  # the id of a stage, which has a line of its own
                found[f"{label}: {key}"] = str(value)[:12]
    return found


def _code(pairs: list[tuple[CellView, CellView]]) -> list[Change]:
    """By kind of stage: cells whose code differs, whose results were computed by other code."""
    counts: dict[str, list[tuple[str, str]]] = {}
    for one, other in pairs:
        for label, marker in one.markers.items():
            if label in other.markers:
                counts.setdefault(str(label), []).append((marker.source[:12], other.markers[label].source[:12]))
    found = []
    for label, digests in counts.items():
        differ = [two for two in digests if two[0] != two[1]]
        if differ:
            found.append(Change("code", label, differ[0][0], differ[0][1], len(differ), len(digests)))
    return found
