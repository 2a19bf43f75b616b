"""Verification on any dataset without a list: balanced pairs are generated from its images.

Subjects and images are selected by the hashes of (seed, identity) and (seed, key), so the selection does not depend on the
dataset's order. Pairs are balanced over subjects and pairs of subjects; every fold has equally many pairs of each kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.balanced_pairs import genuine_pairs, impostor_pairs, possible_pairs
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.evaluation_sets.tasks import OnDatasetConfig
from datamodules.split import draw, rows_of

_STREAM = 6  # random stream
MOST = 6000  # maximum number of pairs without pairs_per_fold; as many as in LFW View 2


class PairsOfProtocolConfig(OnDatasetConfig):
    """Half of the pairs in a fold are genuine. Without ``pairs_per_fold``, as many as possible are made, up to ``MOST``.

    With ``disjoint_folds`` no subject is in two folds, and impostor pairs are made within a fold; without it, they are spread
    over all pairs of subjects.
    """

    name: Literal["pairs_of"] = "pairs_of"
    identities: Annotated[int, Field(ge=2)] | None = None  # number of identities; None: all with two images
    images: Annotated[int, Field(ge=2)] = 10  # maximum number of images per identity
    pairs_per_fold: Annotated[int, Field(ge=2, multiple_of=2)] | None = None
    folds: Annotated[int, Field(ge=2)] = 10
    disjoint_folds: bool = False
    seed: Annotated[int, Field(ge=0)] = 0

    def pairs(self, manifest: Manifest) -> Pairs:
        """The pairs by fold, genuine ones first.

        Raises:
            ValueError: too few identities have two images, or the images allow too few pairs.
        """
        subjects = self._subjects(manifest)
        groups = [subjects[fold :: self.folds] for fold in range(self.folds)] if self.disjoint_folds else [subjects]
        half = self._half(groups)
        count = half if self.disjoint_folds else half * self.folds
        rng = np.random.default_rng([_STREAM, self.seed])
        made: list[tuple[int, int, bool, int]] = []
        for number, group in enumerate(groups):
            images = [len(rows) for rows in group]
            for same, pairs in ((True, genuine_pairs(images, count, rng)), (False, impostor_pairs(images, count, rng))):
                for place, ((one, left), (other, right)) in enumerate(pairs):
                    fold = number if self.disjoint_folds else place // half
                    made.append((group[one][left], group[other][right], same, fold))
        made.sort(key=lambda pair: (pair[3], not pair[2]))
        return Pairs.of(made)

    def _subjects(self, manifest: Manifest) -> list[list[int]]:
        """Rows of the images of each selected subject."""
        rows = rows_of(manifest.identities)
        able = sorted((who for who, theirs in rows.items() if len(theirs) > 1), key=partial(draw, self.seed))
        wanted = self.identities or 2
        if len(able) < wanted:
            raise ValueError(
                f"protocol {self.title}: {len(able)} of {len(rows)} identities of {self.data.name} have two images, and "
                f"{wanted} are needed"
            )
        chosen = (rows[who] for who in able[: self.identities])
        return [sorted(theirs, key=lambda row: draw(self.seed, manifest.keys[row]))[: self.images] for theirs in chosen]

    def _half(self, groups: Sequence[Sequence[Sequence[int]]]) -> int:
        """The number of genuine pairs per fold, which is also that of impostor pairs.

        Raises:
            ValueError: the images do not allow that many.
        """
        if min(map(len, groups)) < 2:
            raise ValueError(
                f"protocol {self.title}: {sum(map(len, groups))} identities make no {self.folds} folds of two identities or "
                "more; lower folds, or set disjoint_folds: false"
            )
        most = min(min(possible_pairs(list(map(len, group)))) for group in groups) // (1 if self.disjoint_folds else self.folds)
        half = min(most, MOST // 2 // self.folds) if self.pairs_per_fold is None else self.pairs_per_fold // 2
        if not 1 <= half <= most:
            raise ValueError(
                f"protocol {self.title}: a fold of {self.folds} has at most {most} genuine and as many impostor pairs of these "
                f"images, and {max(half, 1)} of each kind are needed; raise identities or images, or lower folds"
                f"{'' if self.pairs_per_fold is None else ' or pairs_per_fold'}"
            )
        return half
