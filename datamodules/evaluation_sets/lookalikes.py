"""Mining of look-alike impostor pairs: different subjects that a network finds similar.

``lookalike_lists.py`` reads and writes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.list_readers.lfw import PairList

BLOCK = 1024  # rows of the similarity matrix computed at a time
SLACK = 1e-4  # bound on the error of float32 dot products of unit vectors, on any hardware


@dataclass(frozen=True, eq=False)
class Mined:
    """Impostor pairs, fold by fold, most similar first.

    Attributes:
        left: int64, row of the embeddings; left < right
        right: int64
        fold: int64
        score: float64, cosine
    """

    left: np.ndarray
    right: np.ndarray
    fold: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.left)


def mine(embeddings: np.ndarray, identities: Sequence[str], folds: Mapping[str, int], per_fold: int, uses: int = 2) -> Mined:
    """The most similar pairs of images of different subjects, for each fold and within it.

    Pairs are taken by decreasing cosine, ties by row; pairs with an image already used ``uses`` times are passed over. The
    result does not depend on the number of threads: float32 products only preselect pairs, float64 cosines rank them.

    Args:
        embeddings: (N, D) float, not necessarily normalized
        identities: the subject of each row
        folds: subject -> fold; rows of other subjects are ignored
        per_fold: number of pairs per fold
        uses: maximum number of pairs per image

    Raises:
        ValueError: an embedding cannot be normalized, or a fold has too few pairs.
    """
    if per_fold < 1 or uses < 1:
        raise ValueError(f"per_fold and uses are at least 1, found {per_fold} and {uses}")
    unit = _unit(np.asarray(embeddings), len(identities))
    subjects = np.unique(np.asarray(identities, dtype=str), return_inverse=True)[1]
    places = np.array([folds.get(who, -1) for who in identities], np.int64)
    found = []
    for fold in sorted(set(folds.values())):
        rows = np.flatnonzero(places == fold)
        left, right, score = _of_fold(unit[rows], subjects[rows], per_fold, uses, fold)
        found.append((rows[left], rows[right], np.full(len(left), fold, np.int64), score))
    if not found:
        raise ValueError("no subject has a fold, so there is nothing to mine")
    return Mined(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _unit(embeddings: np.ndarray, count: int) -> np.ndarray:
    if embeddings.ndim != 2 or len(embeddings) != count:
        raise ValueError(f"embeddings have the shape (images, dimensions), found {embeddings.shape} for {count} images")
    wide = embeddings.astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if len(bad):
        raise ValueError(
            f"the embedding of row {bad[0]} has no direction (norm {norms[bad[0]]}), as have {len(bad)} of {count}"
        )
    return wide / norms[:, None]


def _of_fold(
    unit: np.ndarray, subjects: np.ndarray, per_fold: int, uses: int, fold: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = np.bincount(subjects) if len(subjects) else np.zeros(0, np.int64)
    possible = (len(subjects) ** 2 - int((counts.astype(np.int64) ** 2).sum())) // 2
    left = right = chosen = np.zeros(0, np.int64)
    score = np.zeros(0)
    size = 16 * per_fold
    while possible:
        left, right, floor = _candidates(unit.astype(np.float32), subjects, min(size, possible))
        score = np.einsum("nd,nd->n", unit[left], unit[right])
        order = np.lexsort((right, left, -score))
        taken = _greedy(left[order], right[order], len(unit), per_fold, uses)
        chosen = order[taken]
        complete = len(left) == possible
        # Discarded pairs score at most ``floor``; only pairs that are certainly above it can be ranked yet.
        if complete or (len(chosen) == per_fold and score[chosen[-1]] > floor + SLACK):
            break
        size *= 4
    if len(chosen) < per_fold:
        raise ValueError(
            f"fold {fold}: {len(unit)} images make {len(chosen)} impostor pairs with each image in {uses} at most, "
            f"asked for {per_fold}"
        )
    return left[chosen], right[chosen], score[chosen]


def _candidates(unit: np.ndarray, subjects: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The ``size`` most similar pairs (left < right), and an upper bound on the score of the others."""
    left, right = np.zeros(0, np.int64), np.zeros(0, np.int64)
    score, floor = np.zeros(0, np.float32), -math.inf
    for start in range(0, len(unit), BLOCK):
        stop = min(start + BLOCK, len(unit))
        similar = unit[start:stop] @ unit[start:].T  # columns left of ``start`` were handled in earlier blocks
        later = np.arange(start, len(unit))[None, :] > np.arange(start, stop)[:, None]
        similar[~later | (subjects[start:stop, None] == subjects[None, start:])] = -np.inf
        if similar.size > size:  # more than ``size`` of a block are never needed
            floor = max(floor, float(np.partition(similar, similar.size - size, axis=None)[similar.size - size]))
        ones, others = np.nonzero(similar >= max(floor, -2.0))
        left, right = np.concatenate([left, ones + start]), np.concatenate([right, others + start])
        score = np.concatenate([score, similar[ones, others]])
        if len(score) > size:
            floor = max(floor, float(np.partition(score, -size)[-size]))
            keep = score >= floor  # keep all ties at the boundary
            left, right, score = left[keep], right[keep], score[keep]
    return left, right, floor


def _greedy(left: np.ndarray, right: np.ndarray, images: int, per_fold: int, uses: int) -> np.ndarray:
    used = [0] * images
    taken = []
    for place, (one, other) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        if used[one] < uses and used[other] < uses:
            used[one] += 1
            used[other] += 1
            taken.append(place)
            if len(taken) == per_fold:
                break
    return np.array(taken, np.int64)


def folds_of(listed: PairList) -> dict[str, int]:
    """Subject -> fold, from a list whose keys are ``subject/image``.

    Raises:
        ValueError: a subject is in two folds.
    """
    found: dict[str, int] = {}
    for left, right, _, fold, line in listed.rows():
        for key in (left, right):
            who = key.split("/")[0]
            if found.setdefault(who, fold) != fold:
                raise ValueError(f"{listed.file}, line {line}: {who} is in fold {fold + 1} and in fold {found[who] + 1}")
    return found
