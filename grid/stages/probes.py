"""Selects the images and pairs to explain: the same in every cell with the same data."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.data_interfaces import DatasetConfig
from datamodules.geometry.cutting import sides
from grid.spec.training import Training
from grid.stages.context import Context, Faces, detections_of, faces_of
from grid.stages.face_regions import cropped


@dataclass(frozen=True, eq=False)
class Probes:
    """The images or pairs to explain.

    Attributes:
        keys: of N images; for pairs, left and right alternate
        identities: (N,)
        crops: uint8 (N, H, W, 3)
        labels: int64 (N,), classes of the network; empty for pairs
        same: bool (N / 2,), for pairs; None for images
    """

    keys: Sequence[str]
    identities: Sequence[str]
    crops: np.ndarray
    labels: np.ndarray
    same: np.ndarray | None = None


def hashed(*names: str) -> bytes:
    """The sort key of probes: depends only on content, so that all cells choose the same ones."""
    return hashlib.sha256("\n".join(names).encode()).digest()


def image_probes(faces: Faces, labels: np.ndarray, validation: Sequence[int], count: int, wanted: Sequence[str] = ()) -> Probes:
    """Validation images of ``count`` different subjects; or the images ``wanted``, by key, of any subjects."""
    keys, identities = faces.manifest.keys, faces.identities
    if wanted:
        named = rows_named(keys, wanted, "the training data")
        _check_kept(wanted, named, faces)
        return Probes(
            list(wanted), [identities[row] for row in named], np.stack([faces.crops[n] for n in named]), labels[named]
        )
    chosen: dict[str, int] = {}
    for row in sorted(validation, key=lambda row: hashed(keys[row])):
        chosen.setdefault(identities[row], row)
        if len(chosen) == count:
            break
    rows = list(chosen.values())
    crops = np.stack([faces.crops[row] for row in rows])
    return Probes([keys[row] for row in rows], [identities[row] for row in rows], crops, labels[rows])


def pair_probes(context: Context, training: Training, protocol: Any, count: int, chosen_keys: Sequence[str] = ()) -> Probes:
    """Pairs of a protocol, the genuine half first; pairs with a face dropped by the detector's policy are skipped.

    Or the pairs in ``chosen_keys``, left and right alternating. Pairs of the protocol are genuine if the protocol says so,
    other pairs if both images are of one subject.
    """
    data = context.resolver.dataset(protocol)
    manifest = context.resolver.manifest(data)
    if chosen_keys:
        return _chosen_pairs(context, training, protocol, chosen_keys)
    pairs = context.resolver.kept_pairs(protocol, training)
    chosen: list[tuple[int, int]] = []
    genuine = 0
    for same in (True, False):
        wanted = count - count // 2 if same else count // 2
        of_kind = np.flatnonzero(pairs.same == same).tolist()
        listed = [(int(pairs.left[n]), int(pairs.right[n])) for n in of_kind]
        order = sorted(listed, key=lambda pair: hashed(*(manifest.keys[row] for row in pair)))
        some = order[: 4 * wanted + 8]
        rows = sorted({row for pair in some for row in pair})
        faces = faces_of(context, data, training.detector, training.input.pixels, rows=rows)
        kept = {rows[place] for place in faces.crops.kept.tolist()}
        chosen += [pair for pair in some if kept.issuperset(pair)][:wanted]
        genuine = len(chosen) if same else genuine
    flat = [row for pair in chosen for row in pair]
    return _probes_of(context, training, data, flat, np.arange(len(chosen)) < genuine)


def pair_regions(
    context: Context, training: Training, protocol: Any, keys: Sequence[str], common: bool = False
) -> np.ndarray | None:
    """bool (N, height, width): the true region where each crop differs from the other one of its pair; None if none is known.

    With ``common``, where the two show the same. ``keys`` are of N images, left and right alternating. A row is empty if its
    region is unknown or was cropped away by the detector. See ``face_regions.cropped``.
    """
    data = context.resolver.dataset(protocol)
    whole = context.resolver.manifest(data)
    place = {key: row for row, key in enumerate(whole.keys)}
    full = data.build(whole)
    some = list(dict.fromkeys(keys))
    detections = detections_of(context, data, data.build(whole.subset([place[key] for key in some])), training.detector)
    detector = training.detector.build()
    size = training.input.pixels
    found = np.zeros((len(keys), *sides(size)), bool)
    known = False
    region_of = protocol.common_region if common else protocol.region
    for row, key in enumerate(keys):
        region = region_of(full, place[key], place[keys[row + 1 if row % 2 == 0 else row - 1]])
        if region is None:
            continue
        shape = (whole.heights[place[key]], whole.widths[place[key]])
        if region.shape != shape:
            raise ValueError(f"protocol {protocol.title}: the region of {key} is {region.shape}, and its image {shape}")
        known = True
        found[row] = cropped(region, detector, detections.row(key), size)
    return found if known else None


def _chosen_pairs(context: Context, training: Training, protocol: Any, wanted: Sequence[str]) -> Probes:
    data = context.resolver.dataset(protocol)
    manifest = context.resolver.manifest(data)
    named = rows_named(manifest.keys, wanted, f"protocol {protocol.title}")
    identities = [manifest.identities[row] for row in named]
    pairs = protocol.pairs(manifest)
    said = {
        frozenset(pair): bool(same) for *pair, same in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same, strict=True)
    }
    same = [said.get(frozenset(named[at : at + 2]), identities[at] == identities[at + 1]) for at in range(0, len(named), 2)]
    return _probes_of(context, training, data, named, np.array(same))


def _probes_of(context: Context, training: Training, data: DatasetConfig, flat: Sequence[int], same: np.ndarray) -> Probes:
    """Pairs of rows of a dataset, left and right alternating.

    Raises:
        ValueError: a face was dropped by the detector's policy.
    """
    manifest, rows = context.resolver.manifest(data), sorted(set(flat))
    faces = faces_of(context, data, training.detector, training.input.pixels, rows=rows)
    _check_kept((manifest.keys[row] for row in rows), range(len(rows)), faces)
    crops = np.stack([faces.crops[rows.index(row)] for row in flat])
    keys, identities = ([values[row] for row in flat] for values in (manifest.keys, manifest.identities))
    return Probes(keys, identities, crops, np.zeros(0, np.int64), same)


def rows_named(keys: Sequence[str], wanted: Sequence[str], whose: str) -> list[int]:
    """The rows of the images ``wanted``.

    Raises:
        ValueError: there is no such image; the message suggests the nearest keys.
    """
    index = {key: row for row, key in enumerate(keys)}
    for key in wanted:
        if key not in index:
            near = difflib.get_close_matches(key, keys, n=3, cutoff=0.3)
            raise ValueError(f"{whose}: no image {key!r} among {len(keys)} (nearest: {', '.join(near or keys[:3])})")
    return [index[key] for key in wanted]


def _check_kept(names: Iterable[str], places: Iterable[int], faces: Faces) -> None:
    kept = set(faces.crops.kept.tolist())
    for name, place in zip(names, places, strict=True):
        if place not in kept:
            raise ValueError(f"no face was found in {name}, and the detector's policy is to drop such images")


def reference_pairs(
    keys: Sequence[str], labels: np.ndarray, rows: np.ndarray, count: int
) -> tuple[list[int], list[int], list[bool]]:
    """(left, right, same): pairs of the given rows, half genuine and half impostor, as far as available."""
    order = sorted(rows.tolist(), key=lambda row: hashed(keys[row]))
    genuine: list[tuple[int, int]] = []
    impostor: list[tuple[int, int]] = []
    for place, left in enumerate(order):
        for right in order[place + 1 :]:
            kind = genuine if labels[left] == labels[right] else impostor
            if len(kind) < count // 2:
                kind.append((left, right))
        if len(genuine) == len(impostor) == count // 2:
            break
    both = [*genuine, *impostor]
    return [left for left, _ in both], [right for _, right in both], [number < len(genuine) for number in range(len(both))]
