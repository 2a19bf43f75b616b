"""Families of images that must stay on one side of a split: those of one subject, and near duplicates of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datamodules.split import stratified


def families(identities: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """The family of each image, int64 (N,): the smallest row that is connected to it by common identities and near duplicates.

    Args:
        identities: of each image
        pairs: int (P, 2), rows that are near duplicates, see ``datamodules.near_duplicates.near``
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(identities)
    _, first, place = np.unique(np.asarray(identities), return_index=True, return_inverse=True)
    left = np.concatenate([np.arange(count), pairs[:, 0]])
    right = np.concatenate([first[place], pairs[:, 1]])
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, start, member = np.unique(labels, return_index=True, return_inverse=True)
    return start[member].astype(np.int64)


def split_families(
    keys: Sequence[str], family: np.ndarray, columns: Sequence[np.ndarray], fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Holds out a fraction of the families with all their images, as nearly as possible of each combination of classes.

    The class of a family is that of its first image.

    Args:
        keys: the images' keys
        family: int64 (N,), see ``families``
        columns: int64 (N,) each, the class of each image, -1 if unknown
        fraction, seed: as in ``datamodules.split.stratified``

    Returns:
        Rows for training and rows for validation, int64, each sorted.
    """
    heads = np.unique(family)
    _, chosen = stratified([keys[row] for row in heads], [column[heads] for column in columns], fraction, seed)
    held = np.isin(family, heads[chosen])
    return np.flatnonzero(~held), np.flatnonzero(held)
