"""Training and validation split: holds out a fraction of each identity's images, or whole identities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

import numpy as np

By = Literal["images", "identities"]
FEWEST = 2  # minimum number of identities on either side; fewer give no impostor pair


def split(
    keys: Sequence[str], identities: Sequence[str], fraction: float, seed: int, by: By = "images"
) -> tuple[np.ndarray, np.ndarray]:
    """Holds out ``fraction`` of EACH identity's images, or of the identities with all their images.

    By images, ``held_images(n, fraction)`` of an identity's n images are held out, chosen by the hashes of (seed, key), so that
    the split of an identity does not depend on the rest of the dataset. By identities, see ``held_identities``. A fraction of 0
    holds out nothing.

    Args:
        keys: the images' keys
        identities: the identity of each image
        fraction: from 0 to below 1
        seed: any integer
        by: hold out images or identities

    Returns:
        Rows for training and rows for validation, int64, each sorted.

    Raises:
        ValueError: the fraction is invalid, or there are too few identities to hold some out.
    """
    _check(fraction)
    images = rows_of(identities)
    held: list[int] = []
    if by == "identities":
        held = [row for who in held_identities(images, fraction, seed) for row in images[who]]
    else:
        for rows in images.values():
            count = held_images(len(rows), fraction)
            held += sorted(rows, key=lambda row: draw(seed, keys[row]))[:count]
    validation = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(keys), dtype=np.int64), validation), validation


def thinned(keys: Sequence[str], identities: Sequence[str], rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The rows of ``share`` of each identity's images among ``rows``, at least one each; a larger share includes a smaller one.

    Images are chosen by the hashes of (seed, key).

    Args:
        rows: int64, sorted
        share: above 0 and at most 1

    Returns:
        int64, sorted.
    """
    kept: list[int] = []
    for places in rows_of([identities[row] for row in rows.tolist()]).values():
        theirs = sorted(rows[places].tolist(), key=lambda row: draw(seed, keys[row]))
        kept += theirs[: max(int(share * len(theirs) + 0.5), 1)]
    return np.array(sorted(kept), np.int64)


def stratified(keys: Sequence[str], columns: Sequence[np.ndarray], fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds out ``fraction`` of the images and, as nearly as possible, of each combination of classes.

    Images are sorted by their classes and, within a combination, by the hashes of (seed, key); every (1 / ``fraction``)-th
    image in that order is held out. If all images of a class would be held out, it keeps its first one. If a class with at
    least two images then has none held out, its first image that is not the only training image of any class is held out.

    Args:
        keys: the images' keys
        columns: int64 (N,) each, the class of each image, -1 if unknown
        fraction: from 0 to below 1
        seed: any integer

    Returns:
        As ``split``.
    """
    _check(fraction)
    every = np.arange(len(keys), dtype=np.int64)
    if fraction == 0:
        return every, every[:0]
    order = sorted(every.tolist(), key=lambda row: (*(int(column[row]) for column in columns), draw(seed, keys[row])))
    steps = np.floor((np.arange(len(order)) + 1) * fraction + 0.5)
    held = {row for row, step, before in zip(order, steps, [0, *steps], strict=False) if step > before}
    classes = [[row for row in order if column[row] == one] for column in columns for one in np.unique(column[column >= 0])]
    for of_class in classes:
        if held.issuperset(of_class):
            held.discard(of_class[0])
    for of_class in classes:
        if held.isdisjoint(of_class) and len(of_class) > 1:
            spare = (row for row in of_class if not any(all(one == row or one in held for one in other) for other in classes))
            held.update(islice(spare, 1))
    validation = np.array(sorted(held), np.int64)
    return np.setdiff1d(every, validation), validation


def rows_of(identities: Sequence[str]) -> dict[str, list[int]]:
    """The rows of each identity or other text, in the order of their first rows."""
    found: dict[str, list[int]] = {}
    for row, who in enumerate(identities):
        found.setdefault(who, []).append(row)
    return found


def held_images(count: int, fraction: float) -> int:
    """Number of held-out images of an identity with ``count`` images: round(fraction count), at least one and never all."""
    return min(max(int(fraction * count + 0.5), 1), count - 1) if fraction > 0 else 0


def held_identities(identities: Iterable[str], fraction: float, seed: int) -> list[str]:
    """The held-out identities: round(fraction n) of them, chosen and sorted by the hashes of (seed, identity).

    At least two are held out, and at least two are left.

    Raises:
        ValueError: there are fewer than four.
    """
    _check(fraction)
    if fraction == 0:
        return []
    ordered = sorted(set(identities), key=lambda who: draw(seed, who))
    if len(ordered) < 2 * FEWEST:
        raise ValueError(
            f"split.by: identities holds out {FEWEST} identities at least and leaves {FEWEST}, and there are {len(ordered)}; "
            "use split.by: images"
        )
    return ordered[: min(max(int(fraction * len(ordered) + 0.5), FEWEST), len(ordered) - FEWEST)]


def draw(seed: int | str, name: str) -> bytes:
    """The random rank of a name: an order by it does not depend on the other names."""
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()


def _check(fraction: float) -> None:
    if not 0 <= fraction < 1:
        raise ValueError(f"the validation fraction must be from 0 to below 1, found {fraction}")
