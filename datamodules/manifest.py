"""The table of a dataset's images, without the images themselves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Manifest:
    """One row per image, in a fixed order.

    Attributes:
        columns: names of the attributes with one value per row, which ``subset`` selects from
        keys: one stable key per image, such as "Ann_Veneman/Ann_Veneman_0003.jpg"
        identities: the subject of each image
        widths: pixels, after applying the EXIF orientation
        heights: pixels
        digests: SHA-256 (hex) of each image's bytes
        skipped: key -> reason, for images left out by the skip policy

    Raises:
        ValueError: the columns differ in length, or a key occurs twice.
    """

    columns: ClassVar[tuple[str, ...]] = ("keys", "identities", "widths", "heights", "digests")
    keys: tuple[str, ...]
    identities: tuple[str, ...]
    widths: tuple[int, ...]
    heights: tuple[int, ...]
    digests: tuple[str, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in self.columns}
        if len(lengths) > 1:
            raise ValueError(f"a manifest's columns must have one length, found {sorted(lengths)}")
        if len(self.index) != len(self.keys):
            twice = next(key for row, key in enumerate(self.keys) if self.index[key] != row)
            raise ValueError(f"a manifest names the image {twice!r} twice")

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def index(self) -> dict[str, int]:
        """Key -> row."""
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the rows in order: key, identity and image bytes. Sizes are implied by the bytes."""
        total = hashlib.sha256()
        for row in zip(self.keys, self.identities, self.digests, strict=True):
            for cell in row:
                # Each length is hashed first, so that different tables cannot give the same byte stream.
                data = cell.encode()
                total.update(len(data).to_bytes(8, "little"))
                total.update(data)
        return total.hexdigest()

    def subset(self, rows: Iterable[int]) -> Self:
        """The manifest of the given rows, in the given order; ``skipped`` and what a subclass adds are kept."""
        chosen = [int(row) for row in rows]
        taken: Any = {name: tuple(getattr(self, name)[row] for row in chosen) for name in self.columns}
        return replace(self, **taken)


def enough(manifest: Any, least: int) -> Any:
    """The manifest without subjects that have fewer than ``least`` images, after a skip policy left some out."""
    if least <= 1:
        return manifest
    counts = Counter(manifest.identities)
    if min(counts.values(), default=least) >= least:
        return manifest
    return manifest.subset(row for row, who in enumerate(manifest.identities) if counts[who] >= least)
