"""Further pairs of the images of a list, formed from their identities: LFW's unrestricted setting.

Huang, Learned-Miller: Labeled Faces in the Wild: updates and new reporting procedures. University of Massachusetts, Amherst,
UM-CS-2014-003: where identities may be used, any pairs of the training folds' images may be formed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from configs.data_interfaces import Pairs as GivenPairs
from datamodules.evaluation_sets.balanced_pairs import ImagePair, genuine_pairs, impostor_pairs, possible_pairs
from datamodules.evaluation_sets.pairs import Pairs


def formed_pairs(given: GivenPairs, identities: Sequence[str], seed: int = 0) -> Pairs:
    """All further genuine pairs within each fold, and so many impostor pairs that the fold has equally many of both.

    Impostor pairs are balanced over subjects (``balanced_pairs``), and fewer where the fold's images do not make enough.
    No pair of the list is formed again. The result depends on the list, the identities and the seed only.

    Args:
        given: the pairs of the list; a fold's images are those of its pairs
        identities: of every row of the manifest
        seed: of the choice of impostor pairs
    """
    found: list[tuple[int, int, bool, int]] = []
    for fold in np.unique(given.fold):
        here = given.fold == fold
        left, right = given.left[here].tolist(), given.right[here].tolist()
        known = {frozenset(pair) for pair in zip(left, right, strict=True)}
        groups: dict[str, list[int]] = {}
        for row in sorted({*left, *right}):
            groups.setdefault(identities[row], []).append(row)
        subjects = list(groups.values())
        sizes = [len(rows) for rows in subjects]
        rng = np.random.default_rng([seed, int(fold)])

        genuine, most = possible_pairs(sizes)
        listed = int(np.count_nonzero(~given.same[here]))
        wanted = max(0, genuine - listed)
        found += [(*pair, True, int(fold)) for pair in _new(genuine_pairs(sizes, genuine, rng), subjects, known)]
        drawn = impostor_pairs(sizes, min(most, wanted + listed), rng)  # the listed ones are taken out again
        found += [(*pair, False, int(fold)) for pair in _new(drawn, subjects, known)[:wanted]]
    return Pairs.of(found)


def _new(drawn: Sequence[ImagePair], subjects: Sequence[Sequence[int]], known: set[frozenset[int]]) -> list[tuple[int, int]]:
    """The rows, lower first, of the drawn pairs that are not known; ``subjects`` are the rows of each subject's images."""
    rows = [(subjects[one][left], subjects[other][right]) for (one, left), (other, right) in drawn]
    return [(min(pair), max(pair)) for pair in rows if frozenset(pair) not in known]
