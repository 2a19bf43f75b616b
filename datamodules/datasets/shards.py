"""Shards: a folder of tar archives with KEY.jpg and KEY.json (or KEY.cls), from `facegrid data convert` or webdataset.

If the writer's ``manifest.json`` is there too, names, counts and digests must match it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from configs.component import LOCATION, Missing
from datamodules.formats.byte_ranges import ByteRanges, Listing, Placed
from datamodules.formats.containers import SubjectsConfig, Unwrap
from datamodules.formats.shard_manifest import FILE, ShardManifest, check_names, check_shard
from datamodules.formats.shards import samples


class ShardsDatasetConfig(SubjectsConfig):
    name: Literal["shards"] = "shards"
    needs: ClassVar[str] = "root: a folder of .tar files that hold KEY.jpg and KEY.json (or KEY.cls)"
    terms: ClassVar[str] = "those of the set that was converted"
    origin: ClassVar[str] = "`facegrid data convert` writes it"
    root: Annotated[Path, LOCATION]
    space: str | None = None  # datasets with the same space share subjects; None: the space of the converted dataset

    @property
    def namespace(self) -> str:
        if self.space is not None:
            return self.space
        written = ShardManifest.read(self.root)
        return "shards" if written is None else written.namespace

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        """The names that the converted dataset knew; else the identities, if they are names in the namespace."""
        written = ShardManifest.read(self.root)
        if written is None or not written.names:
            return super().names(identities)
        return {who: written.names[who] for who in identities if who in written.names}

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root}", self.how())
        if not self._archives():
            return Missing(f"no .tar files in {self.root}", self.how())
        return None

    def files(self) -> tuple[Path, ...]:
        beside = self.root / FILE
        return (*self._archives(), *([beside] if beside.is_file() else []))

    def listing(self, files: tuple[Path, ...]) -> Listing:
        archives = tuple(file for file in files if file.name != FILE)
        written = ShardManifest.read(self.root)
        if written is not None:
            check_names(self.root, written, [file.name for file in archives])
        shards = {shard.file: shard for shard in written.shards} if written else {}
        keys, identities = dict[str, int](), list[str]()
        rows: list[tuple[int, int, int]] = []
        for number, file in enumerate(archives):
            if file.name in shards:
                check_shard(self.root, shards[file.name])
            before = len(rows)
            for sample in samples(file):
                place = f"{file}, offset {sample.canvas.header}"
                if sample.key in keys:
                    first = rows[keys[sample.key]]
                    raise ValueError(f"{place}: the image {sample.key!r} is also in {archives[first[0]]}, offset {first[1]}")
                keys[sample.key] = len(rows)
                identities.append(sample.identity)
                rows.append((number, sample.canvas.offset, sample.canvas.size))
            if file.name in shards and len(rows) - before != shards[file.name].images:
                said = shards[file.name].images
                raise ValueError(f"{file}: {FILE} says {said} images, found {len(rows) - before}")
        file_, offset, length = np.array(rows, np.int64).reshape(-1, 3).T
        places = ByteRanges(archives, file_.astype(np.int32), offset, length, np.zeros(len(rows), np.int8))
        return Listing(tuple(keys), tuple(identities), places)

    def unwrap(self) -> Unwrap:
        return as_it_is

    def evaluated(self, manifest: Placed, listing: Listing) -> Placed:
        written = ShardManifest.read(self.root)
        if written is not None and self.whole() and not manifest.skipped and manifest.digest != written.digest:
            raise ValueError(
                f"{self.root / FILE}: says the digest {written.digest}, but that of the images is {manifest.digest}"
            )
        return super().evaluated(manifest, listing)

    def _archives(self) -> list[Path]:
        return sorted(self.root.glob("*.tar"))


def as_it_is(data: bytes, coding: int) -> bytes:
    """The member's bytes are the image, without further decoding."""
    return data
