"""The attribute values of the images of a latent-space study, and permutations of them that keep subjects together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute of N images.

    Attributes:
        name: the column's name
        values: int64 (N,), the class; or float64 (N,), a number
        classes: names of the classes; None for numbers
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...] | None

    def take(self, rows: np.ndarray) -> Attribute:
        """The attribute of these images."""
        return replace(self, values=self.values[rows])

    def permuted(self, subjects: np.ndarray, generator: np.random.Generator) -> Attribute:
        """The attribute with a random permutation of its values, see ``permuted``."""
        return replace(self, values=permuted(self.values, subjects, generator))


def constant_in_subjects(values: np.ndarray, subjects: np.ndarray) -> bool:
    """Whether all images of a subject have the same value."""
    _, first, number = np.unique(subjects, return_index=True, return_inverse=True)
    return bool((values == values[first][number]).all())


def permuted(values: np.ndarray, subjects: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random permutation of the values (N,), for a null distribution: no association with the images remains.

    Subjects exchange their values, in random order, so that those of one subject stay together: its images are alike, and if
    single images exchanged values, associations by chance would look rare. A subject with fewer images than the other gets
    some of the values, one with more gets them repeatedly.
    """
    _, first, number, counts = np.unique(subjects, return_index=True, return_inverse=True, return_counts=True)
    donors = generator.permutation(len(counts))
    if constant_in_subjects(values, subjects):
        return values[first][donors][number]
    rows = np.split(np.argsort(number, kind="stable"), np.cumsum(counts)[:-1])
    found = np.empty_like(values)
    for own, donor in zip(rows, donors, strict=True):
        found[own] = np.resize(generator.permutation(values[rows[donor]]), len(own))
    return found
