"""Faces drawn by the project itself: no download, no licence, and the mask of every part is known.

Person ``number`` of population ``seed`` looks the same in every config. A look-alike is another person, who has all but one
part from a base person and was photographed in the same shots: shot k of both differs inside that part only. So it is known
where a correct explanation of "these are two persons" must point.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from configs.component import canonical
from configs.kinds import DatasetConfig, Progress
from configs.kinds import Manifest as AnyManifest
from datamodules import drawing
from datamodules.features import PARTS
from datamodules.manifest import Manifest
from datamodules.person import Person
from datamodules.population import SWAPS, look_alike, person
from datamodules.shot import shot

WORD = 2**32 - 1  # numbers that seed a generator are one word each
REGIONS = {"eyes": ("left eye", "right eye")}  # names of more than one part


class Config(DatasetConfig):
    version: ClassVar[int] = drawing.VERSION
    name: Literal["drawn"] = "drawn"
    needs: ClassVar[str] = "nothing"
    terms: ClassVar[str] = "none"
    origin: ClassVar[str] = "drawn by this project from numbers"
    persons: int = Field(default=40, ge=1)
    shots: int = Field(default=12, ge=1)
    first: int = Field(default=0, ge=0)  # number of the first person
    seed: int = Field(default=0, ge=0, le=WORD)  # of the population
    size: int = Field(default=160, ge=64)  # pixels
    variation: float = Field(default=1.0, ge=0, le=2)  # between shots; 0 makes all shots of a person one picture
    look_alikes: int = Field(default=0, ge=0)  # persons appended, each differing from a base person in one part

    @model_validator(mode="after")
    def _numbers_exist(self) -> Config:
        if self.look_alikes > len(SWAPS) * self.persons:
            most = len(SWAPS) * self.persons
            raise ValueError(
                f"look_alikes: {self.persons} persons have at most {most} ({', '.join(SWAPS)}), asked for {self.look_alikes}"
            )
        if self.first + self.persons > WORD:
            raise ValueError(f"first + persons must be at most {WORD}, found {self.first + self.persons}")
        return self

    @property
    def namespace(self) -> str:
        return f"drawn/{self.seed}"

    def people(self) -> list[tuple[int, str | None]]:
        """(number, None) of every person, then (number of the base, part that differs) of every look-alike."""
        numbers = range(self.first, self.first + self.persons)
        plain: list[tuple[int, str | None]] = [(number, None) for number in numbers]
        turns = (divmod(index, self.persons) for index in range(self.look_alikes))
        return plain + [(self.first + place, SWAPS[(place + turn) % len(SWAPS)]) for turn, place in turns]

    def manifest(self, cache: Path) -> Manifest:
        """Immediate: the pictures are a function of what their digests are made of; ``cache`` is not used."""
        people = self.people()
        names = [(number, part, identity(number, part), index) for number, part in people for index in range(self.shots)]
        return Manifest(
            keys=tuple(key(name, index) for _, _, name, index in names),
            identities=tuple(name for _, _, name, _ in names),
            widths=(self.size,) * len(names),
            heights=(self.size,) * len(names),
            digests=tuple(self._digest(number, part, index) for number, part, _, index in names),
        )

    def _digest(self, number: int, part: str | None, index: int) -> str:
        facts = ["drawn", drawing.VERSION, self.seed, number, part, index, self.size, self.variation]
        return hashlib.sha256(canonical(facts).encode()).hexdigest()

    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        found = self.manifest(cache)
        if progress:
            progress(len(found), len(found))
        return found

    def build(self, manifest: AnyManifest) -> DrawnFaces:
        return DrawnFaces(self, manifest)


def identity(number: int, part: str | None = None) -> str:
    """The name of a person, or of the look-alike who differs from that person in ``part``."""
    return f"person-{number:05d}" + (f"-{part}" if part else "")


def key(name: str, index: int) -> str:
    return f"{name}/shot-{index:03d}"


class DrawnFaces:
    """The pictures of a manifest that a ``Config`` gave, or of a part of it; drawn when asked for."""

    parts = PARTS

    def __init__(self, config: Config, manifest: AnyManifest) -> None:
        self.config = config
        self.manifest = manifest
        self._people = {identity(*each): each for each in config.people()}
        unknown = sorted(set(manifest.identities) - set(self._people))
        if unknown:
            raise ValueError(f"the manifest is not of this drawn dataset: it names {unknown[0]!r}")
        self._shots = [int(each.rpartition("-")[2]) for each in manifest.keys]
        self._drawn = lru_cache(maxsize=2)(self._draw)  # a picture and its mask are often asked for together

    def __len__(self) -> int:
        return len(self.manifest.keys)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (size, size, 3)."""
        return self._drawn(index).image.copy()

    def mask(self, index: int) -> np.ndarray:
        """Which part each pixel shows: index into ``parts``, uint8, (size, size)."""
        return self._drawn(index).mask.copy()

    def region(self, index: int, name: str) -> np.ndarray:
        """Where a part is: bool (size, size). ``name`` is one of ``parts``, or "eyes" for both.

        Raises:
            ValueError: there is no such part.
        """
        if name not in REGIONS and name not in PARTS:
            raise ValueError(f"no part {name!r} (known: {', '.join((*PARTS, *REGIONS))})")
        return np.isin(self._drawn(index).mask, _labels(name))

    def attributes(self, index: int) -> dict[str, Any]:
        """``age`` in years and ``sex`` (0 male, 1 female)."""
        found = self._person(self.manifest.identities[index])
        return {"age": found.age, "sex": found.sex}

    def base(self, name: str) -> str | None:
        """The identity that the look-alike ``name`` was made from; None for anybody else."""
        number, part = self._people[name]
        return identity(number) if part else None

    def differs(self, name: str) -> str | None:
        """What the look-alike ``name`` has of its own: a name that ``region`` knows; None for anybody else."""
        return self._people[name][1]

    def _person(self, name: str) -> Person:
        number, part = self._people[name]
        return look_alike(self.config.seed, number, part) if part else person(self.config.seed, number)

    def _draw(self, index: int) -> drawing.Drawing:
        seed, name = self.config.seed, self.manifest.identities[index]
        number, part = self._people[name]
        taken = shot(seed, number, self._shots[index], self.config.variation)
        drawn = drawing.draw(self._person(name), taken, self.config.size)
        if part is None:
            return drawn
        return drawing.transplanted(drawing.draw(person(seed, number), taken, self.config.size), drawn, _labels(part))


def _labels(name: str) -> list[int]:
    return [PARTS.index(part) for part in REGIONS.get(name, (name,))]
