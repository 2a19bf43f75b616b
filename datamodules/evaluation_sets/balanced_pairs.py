"""Balanced genuine and impostor pairs: the numbers of comparisons of any two subjects differ by at most one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np

Image = tuple[int, int]  # (subject, image of that subject)
ImagePair = tuple[Image, Image]
T = TypeVar("T")


def possible_pairs(images: Sequence[int]) -> tuple[int, int]:
    """The numbers of genuine and of impostor pairs that subjects with so many images make."""
    total, genuine = sum(images), sum(size * (size - 1) // 2 for size in images)
    return genuine, total * (total - 1) // 2 - genuine


def genuine_pairs(images: Sequence[int], count: int, rng: np.random.Generator) -> list[ImagePair]:
    """``count`` distinct pairs of images of the same subject.

    Subjects take turns, in a new random order in each round.

    Args:
        images: number of images of each subject
        count: number of pairs
        rng: random generator

    Raises:
        ValueError: fewer than ``count`` pairs exist.
    """
    if count > (most := possible_pairs(images)[0]):
        raise ValueError(f"{count} genuine pairs were asked for, but the images make {most}")
    pools = [_shuffled(list(combinations(range(size), 2)), rng) for size in images]
    found: list[ImagePair] = []
    while len(found) < count:
        for subject in _shuffled([subject for subject, pool in enumerate(pools) if pool], rng)[: count - len(found)]:
            one, other = pools[subject].pop()
            found.append(((subject, one), (subject, other)))
    return found


def impostor_pairs(images: Sequence[int], count: int, rng: np.random.Generator) -> list[ImagePair]:
    """``count`` distinct pairs of images of different subjects; no two subjects are paired again before all others have been.

    Pairs are taken round by round from a round-robin tournament: n / 2 consecutive pairs of n subjects, starting at a round,
    contain every subject once.

    Args, Raises: as ``genuine_pairs``.
    """
    if count > (most := possible_pairs(images)[1]):
        raise ValueError(f"{count} impostor pairs were asked for, but the images make {most}")
    pools: dict[tuple[int, int], list[tuple[int, int]]] = {}
    found: list[ImagePair] = []
    while len(found) < count:
        for one, other in _tournament(len(images), rng):
            if (one, other) not in pools:
                every = [(left, right) for left in range(images[one]) for right in range(images[other])]
                pools[one, other] = _shuffled(every, rng)
            if pools[one, other]:
                left, right = pools[one, other].pop()
                found.append(((one, left), (other, right)))
            if len(found) == count:
                break
    return found


def _tournament(players: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """All pairs of players, lower number first, in rounds in which each player plays at most once (the circle method)."""
    names: list[int | None] = [*_shuffled(list(range(players)), rng)]
    if players % 2:
        names.append(None)  # a bye for odd numbers of players
    size = len(names)
    for turn in range(size - 1):
        ring = [names[-1], *(names[(turn + step) % (size - 1)] for step in range(size - 1))]
        for place in range(size // 2):
            one, other = ring[place], ring[size - 1 - place]
            if one is not None and other is not None:
                yield (one, other) if one < other else (other, one)


def _shuffled(values: list[T], rng: np.random.Generator) -> list[T]:
    return [values[place] for place in rng.permutation(len(values))]
