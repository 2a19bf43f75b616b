"""Patches that replace parts of the first image of a pair, as in Patch-LFW.

Impostor pairs get patches of their second image, genuine pairs patches of an image of another subject. Huber et al., "Efficient
Explainable Face Verification based on Similarity Score Argument Backpropagation", WACV 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, field_validator

from configs.component import LOCATION, Component, Config, Missing
from configs.data_interfaces import Pairs, ProtocolConfig
from configs.lookup import component
from datamodules.list_readers.patches import FACE, ListedPatches, read_patches

_STREAM = 7  # random stream


class PatchesConfig(Config):
    """``patches`` and ``seed`` are for the pairs that have no list of places."""

    needs: ClassVar[str] = "protocol: any protocol of image pairs"
    terms: ClassVar[str] = "those of the protocol's dataset"
    origin: ClassVar[str] = "computed from the protocol's images when they are read"
    protocol: component("protocol")  # type: ignore[valid-type]  # the pairs
    patches: int = Field(default=27, ge=0)  # per pair; 0 leaves the images as they are
    side: int = Field(default=16, ge=1, le=FACE)  # of a patch, where ``area`` has 112 pixels
    # Side of the square in which the patches lie, as a share of the image's shorter side; 1: images are cropped to the face.
    area: float = Field(default=1.0, gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    genuine_places: Annotated[Path | None, LOCATION] = None  # a list of places, such as patch_idx_gen.txt
    impostor_places: Annotated[Path | None, LOCATION] = None  # such as patch_idx_imp.txt

    @field_validator("protocol")
    @classmethod
    def _only_its_pairs_count(cls, inner: Component) -> Component:
        assert isinstance(inner, ProtocolConfig)
        if inner.task != "verification":
            raise ValueError(f"protocol {inner.name} compares no pairs of images (its task is {inner.task})")
        ignored = {"flip_test", "multi_crop", "precision", "overlap", "near", "transforms", "label", "sweep_point"}
        fields = type(inner).model_fields
        found = [key for key in sorted(ignored) if getattr(inner, key) != fields[key].default]
        found += [key for key in inner.evaluation_identity() if key not in found]
        if found:
            raise ValueError(
                f"protocol {inner.name} only provides the pairs, and its {', '.join(found)} would be ignored: leave it out, or "
                "set it beside protocol if patched_pairs has it"
            )
        return inner

    def lists_missing(self) -> Missing | None:
        """The first list of places that is not on disk; None if all are there."""
        for key in ("genuine_places", "impostor_places"):
            file = getattr(self, key)
            if file is not None and not file.is_file():
                return Missing(f"no list {file}", f"set {key} to a list of places, or leave it out to draw them")
        return None


@dataclass(frozen=True)
class Patches:
    """The patches of one image.

    Attributes:
        source: row of the image that they are taken from
        partner: row of the image that the patched one is compared with
        places: (top, left) of each patch, where ``area`` has 112 pixels
        same: whether the pair is genuine
    """

    source: int
    partner: int
    places: tuple[tuple[int, int], ...]
    same: bool


def patches_of(config: PatchesConfig, pairs: Pairs, identities: Sequence[str]) -> list[Patches]:
    """The patches of every pair; depend only on the pairs and their order, and on the config.

    Places are uniform. The source of a genuine pair's patches is uniform over the images of the protocol's other subjects.

    Raises:
        ValueError: a list of places is wrong or lacks a pair, or there is no other subject.
    """
    count = len(pairs.left)
    files = {True: config.genuine_places, False: config.impostor_places}
    listed = {same: read_patches(file, same, config.side) for same, file in files.items() if file}
    rng = np.random.default_rng([_STREAM, config.seed])
    drawn = rng.integers(0, FACE - config.side + 1, (count, config.patches, 2)).tolist()
    shares = rng.random(count)
    images = np.stack([pairs.left, pairs.right], 1).ravel()  # image 2 n and 2 n + 1 are of pair n
    known = np.array(list(dict.fromkeys(images.tolist())), np.int64)
    people = np.unique([identities[row] for row in known.tolist()], return_inverse=True)[1]
    number = dict(zip(known.tolist(), people.tolist(), strict=True))
    found = []
    for pair in range(count):
        same = bool(pairs.same[pair])
        one = listed[same].get(pair) if same in listed else None
        if same in listed and one is None:
            kind = "genuine" if same else "impostor"
            raise ValueError(f"{files[same]}: has no patches for pair {pair} of the protocol, counted from 0, which is {kind}")
        source = int(pairs.right[pair])
        if same and one is not None:
            source = _listed_source(one, images, str(files[same]))
        elif same:
            others = known[people != number[int(pairs.left[pair])]]
            if not len(others):
                raise ValueError("genuine pairs get patches of another subject, and all pairs are of one subject")
            source = int(others[int(shares[pair] * len(others))])
        places = one.places if one else tuple((top, left) for top, left in drawn[pair])
        found.append(Patches(source, int(pairs.right[pair]), places, same))
    return found


def _listed_source(one: ListedPatches, images: np.ndarray, file: str) -> int:
    assert one.source is not None
    if one.source >= len(images):
        raise ValueError(f"{file}, line {one.line}: the source is image {one.source} of {len(images)} images in the pairs")
    return int(images[one.source])


def boxes(
    places: Sequence[tuple[int, int]], side: int, area: float, height: int, width: int
) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right) of the patches in pixels of an image; empty patches are widened to one pixel.

    The square of side ``area`` times the shorter side, in the center of the image, counts as 112 x 112 pixels.
    """
    square = max(1, round(area * min(height, width)))
    up, across = (height - square) // 2, (width - square) // 2

    def scaled(value: int) -> int:
        return (2 * value * square + FACE) // (2 * FACE)  # rounded

    found = []
    for top, left in places:
        y, x = min(scaled(top), square - 1), min(scaled(left), square - 1)
        bottom, right = max(scaled(top + side), y + 1), max(scaled(left + side), x + 1)
        found.append((up + y, across + x, up + bottom, across + right))
    return found
