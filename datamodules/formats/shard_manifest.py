"""``manifest.json``, written with the shards, and checks of the shards against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from configs.component import file_digest

FILE = "manifest.json"
FORMAT = "facegrid shards"
VERSION = 1


class Shard(BaseModel, frozen=True, extra="forbid", strict=True):
    """One archive: its name, number of images, size in bytes, and SHA-256 (hex)."""

    file: str
    images: int
    bytes: int
    sha256: str


class ShardManifest(BaseModel, frozen=True, extra="forbid", strict=True):
    """The contents of a folder of shards.

    Attributes:
        dataset: name of the dataset that was converted
        namespace: namespace of its identities
        images: number of images
        digest: digest of the manifest of the images as stored in the shards
        original: True if the images keep the dataset's bytes, False if they were re-encoded as PNG
        identities: number of images of each subject, in order of first appearance, which gives the class numbers
        names: identity -> normalized name, of the subjects whose names the dataset knew, to compare them with other datasets
        skipped: key -> reason, for bad images that were left out
        shards: in order
    """

    dataset: str
    namespace: str
    images: int
    digest: str
    original: bool
    identities: dict[str, int]
    names: dict[str, str] = Field(default_factory=dict)
    skipped: dict[str, str]
    shards: tuple[Shard, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(shard.images for shard in self.shards) != self.images or sum(self.identities.values()) != self.images:
            raise ValueError(f"its shards and its identities do not sum to {self.images} images")
        if len({shard.file for shard in self.shards}) != len(self.shards):
            raise ValueError("names a shard twice")
        return self

    def write(self, folder: Path) -> None:
        """Writes it into ``folder``; equal manifests give equal bytes."""
        text = json.dumps({"format": FORMAT, "version": VERSION, **self.model_dump()}, indent=1, ensure_ascii=True)
        (folder / FILE).write_text(text + "\n", encoding="ascii")

    @classmethod
    def read(cls, folder: Path) -> ShardManifest | None:
        """Reads it from ``folder``; None if there is none.

        Raises:
            ValueError: the file is damaged or has an unknown version.
        """
        file = folder / FILE
        if not file.is_file():
            return None
        try:
            said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(said, dict) or said.pop("format", None) != FORMAT:
                raise ValueError(f"not written by this project (its format is not {FORMAT!r})")
            if (version := said.pop("version", None)) != VERSION:
                raise ValueError(f"version {version!r}; version {VERSION} is known")
            return cls.model_validate_json(json.dumps(said))
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"{part}: " for part in first["loc"])
            raise ValueError(f"{file}: {place}{first['msg'].removeprefix('Value error, ')}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{file}: {error}") from error


def check_names(folder: Path, told: ShardManifest, found: list[str]) -> None:
    """Raises ValueError if an archive is missing, or one is not listed in the manifest."""
    names = {shard.file for shard in told.shards}
    if missing := sorted(names - set(found)):
        raise ValueError(f"{folder / FILE}: names {missing[0]}, which is not there ({len(missing)} of {len(names)} shards)")
    if extra := sorted(set(found) - names):
        raise ValueError(f"{folder / extra[0]}: the shard is not one of the {len(names)} that {FILE} names")


def check_shard(folder: Path, shard: Shard) -> None:
    """Raises ValueError if an archive's bytes differ from the manifest."""
    file = folder / shard.file
    if (size := file.stat().st_size) != shard.bytes:
        raise ValueError(f"{file}, offset {min(size, shard.bytes)}: {FILE} says {shard.bytes} bytes, found {size}")
    digest = file_digest(file)
    if digest != shard.sha256:
        raise ValueError(f"{file}: its bytes are not those that {FILE} says (SHA-256 {digest}, not {shard.sha256})")
