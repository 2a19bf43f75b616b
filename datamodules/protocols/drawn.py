"""Verification of drawn persons: folds of genuine and impostor pairs, no person in two folds.

Some of the impostor pairs may be look-alikes: a person and somebody who differs in one part, in two different shots. In some
of the genuine pairs the right face may wear an occluder; they are the pairs of the same protocol without one, but for that.
"""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from configs.component import Born
from configs.kinds import Dataset, Manifest, ProtocolConfig
from datamodules.comparisons.pairs import Pairs
from datamodules.datasets.drawn import WORD
from datamodules.datasets.drawn import Config as Drawn
from datamodules.portraits.drawn_faces import DrawnFaces, Occluder, identity, key

_PAIRS = 4  # stream of random numbers


class Config(ProtocolConfig):
    name: Literal["drawn"] = "drawn"
    persons: int = Field(default=20, ge=2)
    first: int = Field(default=1000, ge=0)  # number of the first person: not one of those that are trained on
    shots: int = Field(default=6, ge=2)
    seed: int = Field(default=0, ge=0, le=WORD)
    size: int = Field(default=160, ge=64)
    variation: float = Field(default=1.0, ge=0, le=2)
    pairs_per_fold: int = Field(default=60, ge=2, multiple_of=2)  # half genuine, half impostor
    folds: int = Field(default=10, ge=1)
    look_alike_share: float = Field(default=0.0, ge=0, le=1)  # of the impostor pairs
    occluder: Annotated[Occluder, Born("none")] = "none"
    occluded_share: Annotated[float, Born(1.0), Field(ge=0, le=1)] = 1.0  # of the genuine pairs, where there is an occluder

    @model_validator(mode="after")
    def _enough_pairs(self) -> Config:
        half, alike = self.pairs_per_fold // 2, self._alike()
        people = self.persons // self.folds  # in the smallest fold
        has = {
            "genuine": (half, people * self.shots * (self.shots - 1) // 2),
            "impostor": (half - alike, people * (people - 1) // 2 * self.shots**2),
            "look-alike": (alike, people * self.shots * (self.shots - 1)),
        }
        for kind, (asked, most) in has.items():
            if asked > most:
                raise ValueError(
                    f"pairs_per_fold={self.pairs_per_fold} asks for {asked} {kind} pairs per fold, but a fold of {people} with "
                    f"{self.shots} shots each makes {most}: raise persons or shots, or lower folds or pairs_per_fold"
                )
        return self

    def _alike(self) -> int:
        return round(self.pairs_per_fold // 2 * self.look_alike_share)

    def dataset(self) -> Drawn:
        return Drawn(
            persons=self.persons,
            shots=self.shots,
            first=self.first,
            seed=self.seed,
            size=self.size,
            variation=self.variation,
            look_alikes=self.persons if self._alike() else 0,
            occluder=self.occluder,
        )

    def pairs(self, manifest: Manifest) -> Pairs:
        """Fold by fold, genuine pairs first; the same pairs in the same order whatever the order of the manifest."""
        rows = {name: row for row, name in enumerate(manifest.keys)}
        listed = [(pair, same, fold) for fold in range(self.folds) for pair, same in self._fold(fold)]
        for name in (name for pair, _, _ in listed for name in pair):
            if name not in rows:
                raise ValueError(f"protocol drawn: names the image {name}, which is not in the dataset")
        return Pairs(
            left=np.array([rows[pair[0]] for pair, _, _ in listed], np.int64),
            right=np.array([rows[pair[1]] for pair, _, _ in listed], np.int64),
            same=np.array([same for _, same, _ in listed], bool),
            fold=np.array([fold for _, _, fold in listed], np.int64),
        )

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """Of pairs with a look-alike or an occluder, see ``DrawnFaces.differing``; None of all others."""
        assert isinstance(dataset, DrawnFaces), f"protocol drawn has no images of {type(dataset).__name__}"
        return dataset.differing(row, other)

    def _fold(self, fold: int) -> list[tuple[tuple[str, str], bool]]:
        rng = np.random.default_rng([_PAIRS, self.seed, self.first, fold])
        numbers = range(self.first + fold, self.first + self.persons, self.folds)
        twins = {number: part for number, part in self.dataset().people() if part}
        shots = range(self.shots)
        genuine = [(key(identity(n), a), key(identity(n), b)) for n in numbers for a, b in combinations(shots, 2)]
        impostor = [
            (key(identity(n), a), key(identity(m), b)) for n, m in combinations(numbers, 2) for a in shots for b in shots
        ]
        alike = [
            (key(identity(n), a), key(identity(n, twins[n]), b)) for n in numbers if twins for a, b in permutations(shots, 2)
        ]
        half, some = self.pairs_per_fold // 2, self._alike()

        def chosen(pairs: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
            return [pairs[place] for place in sorted(rng.permutation(len(pairs))[:count])]

        impostors = chosen(impostor, half - some) + chosen(alike, some)
        same = chosen(genuine, half)
        if self.occluder != "none":  # last of all that is drawn by chance
            for place in rng.permutation(half)[: round(half * self.occluded_share)]:
                left, right = same[place]
                same[place] = left, f"{right}-{self.occluder}"
        return [(pair, True) for pair in same] + [(pair, False) for pair in impostors]
