"""Synthetic faces drawn by this project: no download, no license, and known masks of all facial parts.

Subject ``number`` of population ``seed`` looks the same in every config. A look-alike is a separate subject that differs from
its base subject in one part and has the same shots: shot k of both differs only inside that part, which is the ground truth for
explanations of why they are two subjects. With an occluder, every shot of the subjects (not of their look-alikes) is repeated
with the occluder worn; the two images differ only inside the occluder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from configs.component import Born, digest
from configs.data_interfaces import DatasetConfig, Progress
from configs.data_interfaces import Manifest as AnyManifest
from datamodules.ages import GENDERS, age_columns, classes
from datamodules.columns import Column
from datamodules.manifest import Manifest
from datamodules.synthetic_faces import drawing
from datamodules.synthetic_faces.drawn_faces import DrawnFaces, Occluder, Sample
from datamodules.synthetic_faces.population import SWAPS, subject

WORD = 2**32 - 1  # limit of each number that seeds a random generator


class DrawnDatasetConfig(DatasetConfig):
    version: ClassVar[int] = drawing.VERSION
    name: Literal["drawn"] = "drawn"
    needs: ClassVar[str] = "nothing"
    terms: ClassVar[str] = "none"
    origin: ClassVar[str] = "drawn by this project from numbers"
    subjects: int = Field(default=40, ge=1)
    shots: int = Field(default=12, ge=1)
    first: int = Field(default=0, ge=0)  # number of the first subject
    seed: int = Field(default=0, ge=0, le=WORD)  # of the population
    size: int = Field(default=160, ge=64)  # pixels
    variation: float = Field(default=1.0, ge=0, le=2)  # between shots; with 0 all shots of a subject are the same image
    look_alikes: int = Field(default=0, ge=0)  # number of extra subjects, each differing from a base subject in one part
    occluder: Annotated[Occluder, Born("none")] = "none"  # worn in additional shots of every subject

    @model_validator(mode="after")
    def _numbers_exist(self) -> DrawnDatasetConfig:
        if self.look_alikes > len(SWAPS) * self.subjects:
            most = len(SWAPS) * self.subjects
            raise ValueError(
                f"look_alikes: {self.subjects} subjects have at most {most} ({', '.join(SWAPS)}), asked for {self.look_alikes}"
            )
        if self.first + self.subjects > WORD:
            raise ValueError(f"first + subjects must be at most {WORD}, found {self.first + self.subjects}")
        return self

    @property
    def namespace(self) -> str:
        return f"drawn/{self.seed}"

    def people(self) -> list[tuple[int, str | None]]:
        """(number, None) of every subject, then (number of the base subject, part that differs) of every look-alike."""
        numbers = range(self.first, self.first + self.subjects)
        plain: list[tuple[int, str | None]] = [(number, None) for number in numbers]
        turns = (divmod(index, self.subjects) for index in range(self.look_alikes))
        return plain + [(self.first + place, SWAPS[(place + turn) % len(SWAPS)]) for turn, place in turns]

    def manifest(self, cache: Path) -> Manifest:
        """Always known without a scan, as the digests are those of the drawing parameters; ``cache`` is not used."""
        shown = self.samples()
        return Manifest(
            keys=tuple(each.key for each in shown),
            identities=tuple(each.identity for each in shown),
            widths=(self.size,) * len(shown),
            heights=(self.size,) * len(shown),
            digests=tuple(self._digest(each) for each in shown),
        )

    def samples(self) -> list[Sample]:
        """All samples, in the manifest's order."""
        shots, people = range(self.shots), self.people()
        plain = [Sample(number, part, index) for number, part in people for index in shots]
        if self.occluder == "none":
            return plain
        return plain + [
            Sample(number, None, index, self.occluder) for number, part in people if part is None for index in shots
        ]

    def _digest(self, shown: Sample) -> str:
        facts = ["drawn", drawing.VERSION, self.seed, shown.number, shown.part, shown.shot, self.size, self.variation]
        if shown.occluder != "none":
            facts.append(shown.occluder)
        return digest(facts)

    def columns(self, manifest: AnyManifest) -> dict[str, Column]:
        """Age (in bands and in years) and gender of the subject of each image."""
        known = {each.key: each.number for each in self.samples()}
        people = {number: subject(self.seed, number) for number in sorted(set(known.values()))}
        shown = [people[known[key]] for key in manifest.keys]
        return {**age_columns([one.age for one in shown]), "gender": classes([one.sex for one in shown], GENDERS)}

    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        found = self.manifest(cache)
        if progress:
            progress(len(found), len(found))
        return found

    def build(self, manifest: AnyManifest) -> DrawnFaces:
        return DrawnFaces(self, manifest)
