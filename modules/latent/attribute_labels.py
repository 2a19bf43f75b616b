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

    If all images of a subject have the same value, subjects exchange their values, so that images of one subject still agree.
    Otherwise images exchange theirs.
    """
    if not constant_in_subjects(values, subjects):
        return generator.permutation(values)
    _, first, number = np.unique(subjects, return_index=True, return_inverse=True)
    return generator.permutation(values[first])[number]
