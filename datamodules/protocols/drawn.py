"""Verification of drawn subjects: genuine and impostor pairs, balanced over all subjects and all pairs of subjects.

Folds have the same number of pairs and share subjects: with subject-disjoint folds, all impostor pairs would come from the few
pairs of subjects within a fold. The other folds are only used to choose a threshold. Confidence intervals account for shared
subjects by the subject bootstrap.

A share of the impostor pairs can be look-alikes: a subject and its look-alike, which differs in one part, in two different
shots. In a share of the genuine pairs the right face can wear an occluder; otherwise these pairs are the same as without one.
"""

from __future__ import annotations

from itertools import permutations
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from configs.component import Born
from configs.data_interfaces import Dataset, Manifest, ProtocolConfig
from datamodules.datasets.drawn import WORD
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.evaluation_sets.balanced_pairs import ImagePair, genuine_pairs, impostor_pairs
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.synthetic_faces.drawn_faces import DrawnFaces, Occluder, identity, key

_PAIRS, _WORN = 4, 5  # random streams


class DrawnProtocolConfig(ProtocolConfig):
    name: Literal["drawn"] = "drawn"
    version: ClassVar[int] = 2  # version 1 had subject-disjoint folds
    subjects: int = Field(default=40, ge=2)
    first: int = Field(default=1000, ge=0)  # number of the first subject; differs from the training subjects
    shots: int = Field(default=6, ge=2)
    seed: int = Field(default=0, ge=0, le=WORD)
    size: int = Field(default=160, ge=64)
    variation: float = Field(default=1.0, ge=0, le=2)
    pairs_per_fold: int = Field(default=60, ge=2, multiple_of=2)  # half genuine, half impostor
    folds: int = Field(default=10, ge=2)
    look_alike_share: float = Field(default=0.0, ge=0, le=1)  # of the impostor pairs
    occluder: Annotated[Occluder, Born("none")] = "none"
    occluded_share: Annotated[float, Born(1.0), Field(ge=0, le=1)] = 1.0  # of the genuine pairs, where there is an occluder

    @model_validator(mode="after")
    def _enough_pairs(self) -> DrawnProtocolConfig:
        asked, most = self.pairs_per_fold // 2 * self.folds, self.subjects * self.shots * (self.shots - 1) // 2
        if asked > most:  # there are always more impostor pairs and look-alikes
            raise ValueError(
                f"pairs_per_fold={self.pairs_per_fold} and folds={self.folds} ask for {asked} genuine pairs, but "
                f"{self.subjects} subjects with {self.shots} shots each make {most}: raise subjects or shots, or "
                "lower folds or pairs_per_fold"
            )
        return self

    def _alike(self) -> int:
        return round(self.pairs_per_fold // 2 * self.look_alike_share)

    def dataset(self) -> Drawn:
        return Drawn(
            subjects=self.subjects,
            shots=self.shots,
            first=self.first,
            seed=self.seed,
            size=self.size,
            variation=self.variation,
            look_alikes=self.subjects if self._alike() else 0,
            occluder=self.occluder,
        )

    def pairs(self, manifest: Manifest) -> Pairs:
        """Pairs by fold, genuine pairs first; independent of the order of the manifest."""
        rows = {name: row for row, name in enumerate(manifest.keys)}
        listed = self._listed()
        for name in (name for pair, _, _ in listed for name in pair):
            if name not in rows:
                raise ValueError(f"protocol drawn: names the image {name}, which is not in the dataset")
        return Pairs.of((rows[left], rows[right], same, fold) for (left, right), same, fold in listed)

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """For pairs with a look-alike or an occluder, ``DrawnFaces.differing``; None for all others."""
        assert isinstance(dataset, DrawnFaces), f"protocol drawn has no images of {type(dataset).__name__}"
        return dataset.differing(row, other)

    def _listed(self) -> list[tuple[tuple[str, str], bool, int]]:
        """(names of the two images, whether the pair is genuine, fold)."""
        rng = np.random.default_rng([_PAIRS, self.seed, self.first])
        half, alike = self.pairs_per_fold // 2, self._alike()
        images = [self.shots] * self.subjects
        genuine = [self._names(pair) for pair in genuine_pairs(images, half * self.folds, rng)]
        impostor = [self._names(pair) for pair in impostor_pairs(images, (half - alike) * self.folds, rng)]
        twins = self._look_alikes(alike * self.folds, rng)
        worn = round(half * self.occluded_share)
        listed = []
        for fold in range(self.folds):
            same = genuine[fold * half : (fold + 1) * half]
            if self.occluder != "none":
                for place in np.random.default_rng([_WORN, self.seed, self.first, fold]).permutation(half)[:worn]:
                    left, right = same[place]
                    same[place] = left, f"{right}-{self.occluder}"
            different = impostor[fold * (half - alike) : (fold + 1) * (half - alike)] + twins[fold * alike : (fold + 1) * alike]
            listed += [(pair, True, fold) for pair in same] + [(pair, False, fold) for pair in different]
        return listed

    def _names(self, pair: ImagePair) -> tuple[str, str]:
        (one, left), (other, right) = pair
        return key(identity(self.first + one), left), key(identity(self.first + other), right)

    def _look_alikes(self, count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
        """``count`` pairs of a subject and its look-alike in two different shots; subjects take turns."""
        if not count:
            return []
        part = dict(self.dataset().people())
        found: list[tuple[str, str]] = []
        pools = [rng.permutation(list(permutations(range(self.shots), 2))) for _ in range(self.subjects)]
        for place in range(count):
            turn, subject = divmod(place, self.subjects)
            number = self.first + subject
            left, right = pools[subject][turn].tolist()
            found.append((key(identity(number), left), key(identity(number, part[number]), right)))
        return found
