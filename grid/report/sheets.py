"""Contact sheets: image x cell, the attribution drawn over the crop. Raw maps stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.report.rows import Row
from grid.study import Study

Column = tuple[str, int | None, str | None]
TILE = 112  # pixels of one picture's side
MOST = 10  # images per row
EMPTY = "zero everywhere"
SEQUENTIAL, DIVERGING = "inferno", "RdBu_r"


@dataclass(frozen=True)
class Strip:
    """One cell's row of pictures.

    Attributes:
        tiles: (columns, TILE, TILE, 3) uint8; None where the method was refused. A map that is zero everywhere says so.
        low, high: raw values at the ends of the row's one scale, in the method's own unit.
        signed: the scale diverges around 0; otherwise it begins at 0.
    """

    row: Row
    tiles: np.ndarray | None
    low: float = 0.0
    high: float = 0.0
    signed: bool = False
    refused: str | None = None


@dataclass(frozen=True)
class Inputs:
    """Crops that some cells have in common, as they were before any colour."""

    label: str
    tiles: np.ndarray


@dataclass(frozen=True)
class Sheet:
    """All cells under one explainer."""

    title: str
    target: str  # what is explained, in words
    layers: tuple[str, ...]  # that were looked at
    images: tuple[dict[str, Any], ...]  # the columns: "key", "identity"
    left_out: int  # images beyond MOST
    inputs: tuple[Inputs, ...]
    strips: tuple[Strip, ...]
    without: tuple[str, ...]  # titles of cells that have no maps yet


def sheets(study: Study, rows: Sequence[Row]) -> list[Sheet]:
    """A sheet per explainer of the study that any cell has finished."""
    titles = dict.fromkeys(label.partition(":")[2] for row in rows for label in row.cell.stages if label.startswith("explain:"))
    found = []
    for title in titles:
        label = f"explain:{title}"
        ready = [(row, study.ledger.json(row.markers[label], "manifest.json")) for row in rows if label in row.markers]
        names = dict.fromkeys(one["name"] for _, manifest in ready for one in manifest.get("maps", ()))
        found += [_sheet(rows, title, name, ready, study) for name in names or [""]]
    return [sheet for sheet in found if sheet.strips]


def _sheet(rows: Sequence[Row], title: str, name: str, ready: Sequence[tuple[Row, dict[str, Any]]], study: Study) -> Sheet:
    """Of one explainer; ``name`` is that of the map, where the explainer makes several."""
    label = f"explain:{title}"
    keys: dict[Column, dict[str, Any]] = {}
    for _, manifest in ready:
        for image in manifest.get("images", []):
            keys.setdefault(_column(image), image)
    columns = list(keys)[:MOST]
    strips, crops = [], dict[bytes, tuple[np.ndarray, list[Row]]]()
    for row, manifest in ready:
        if "refused" in manifest:
            strips.append(Strip(row, None, refused=str(manifest["refused"]["reason"])))
            continue
        marker = row.markers[label]
        places = {_column(image): place for place, image in enumerate(manifest["images"])}
        order = [places.get(key) for key in columns]
        files = {one["name"]: one["file"] for one in manifest.get("maps", ())} or {name: "maps.npy"}
        if name not in files:
            continue
        maps = np.load(study.ledger.path(marker, files[name]), allow_pickle=False)
        images = np.load(study.ledger.path(marker, "images.npy"), allow_pickle=False)
        tiles = np.stack([_blank() if n is None else resized(images[n]) for n in order])
        crops.setdefault(tiles.tobytes(), (tiles, []))[1].append(row)
        strips.append(_strip(row, tiles, maps, order))
    inputs = tuple(Inputs(_shared(study, owners, [row for row, _ in ready]), tiles) for tiles, owners in crops.values())
    shown = [manifest for _, manifest in ready if "refused" not in manifest]
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


def _column(image: dict[str, Any]) -> Column:
    """An image may occur in several pairs."""
    return image["key"], image.get("pair"), image.get("side")


def _strip(row: Row, crops: np.ndarray, maps: np.ndarray, order: Sequence[int | None]) -> Strip:
    """One scale for the whole row, over all maps of the cell: what is left out counts too."""
    signed = bool(maps.min() < 0)
    high = float(np.abs(maps).max())
    low = -high if signed else 0.0
    tiles = [crop if n is None else _drawn(crop, maps[n], low, high) for n, crop in zip(order, crops, strict=True)]
    return Strip(row, np.stack(tiles), low, high, signed)


def _drawn(crop: np.ndarray, raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """The overlay; a dark picture could be a weak map or none, so a map without any evidence carries the words."""
    import cv2

    tile = overlaid(crop, raw, low, high)
    if not raw.any():
        tile[-16:] = tile[-16:] // 3
        cv2.putText(tile, EMPTY, (4, TILE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (235, 235, 235), 1, cv2.LINE_AA)
    return tile


def overlaid(crop: np.ndarray, raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """(TILE, TILE, 3) uint8: the grey crop under the coloured map, which is upsampled bilinearly.

    The map covers more where it says more, so that the face stays visible where it says nothing.
    """
    import cv2

    size = (crop.shape[1], crop.shape[0])
    value = cv2.resize(raw.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    place = np.clip((value - low) / (high - low), 0, 1) if high > low else np.zeros_like(value)
    strength = np.abs(2 * place - 1) if low < 0 else place
    weight = (0.35 + 0.4 * strength)[..., None]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    mixed: np.ndarray = np.rint((1 - weight) * grey + weight * coloured(place, low < 0)).astype(np.uint8)
    return mixed


def coloured(place: np.ndarray, signed: bool) -> np.ndarray:
    """Places from 0 to 1 to RGB, float32 from 0 to 255."""
    import matplotlib

    found = matplotlib.colormaps[DIVERGING if signed else SEQUENTIAL](place)[..., :3] * 255
    return np.asarray(found, np.float32)


def resized(crop: np.ndarray) -> np.ndarray:
    """(TILE, TILE, 3) uint8."""
    import cv2

    smaller = crop.shape[0] > TILE
    found: np.ndarray = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return found


def jpeg(tile: np.ndarray) -> bytes:
    """A tile as the page shows it."""
    import cv2

    good, data = cv2.imencode(".jpg", tile[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert good
    return bytes(data.tobytes())


def _blank() -> np.ndarray:
    return np.full((TILE, TILE, 3), 200, np.uint8)


def _shared(study: Study, owners: Sequence[Row], among: Sequence[Row]) -> str:
    """What the cells with the same crops have in common and the others have not."""
    told = []
    for axis in study.axes:
        levels = {row.cell.levels.get(axis) for row in owners}
        if len(levels) == 1 and any(row.cell.levels.get(axis) not in levels for row in among):
            told.append(f"{axis}={next(iter(levels))}")
    return ", ".join(told) or "all cells"
