"""Which images are held out of training for validation: a share of each identity's images, or whole identities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

By = Literal["images", "identities"]
FEWEST = 2  # identities on either side: fewer have no impostor pair


def split(
    keys: Sequence[str], identities: Sequence[str], fraction: float, seed: int, by: By = "images"
) -> tuple[np.ndarray, np.ndarray]:
    """Holds out ``fraction`` of EACH identity's images, or of the identities with all their images.

    By images, an identity with n images gives ``held_images(n, fraction)`` of them. Which ones follows from the hashes of
    (seed, key): an identity's images are divided in the same way whoever else is in the dataset. By identities, see
    ``held_identities``. A fraction of 0 holds out nothing.

    Args:
        keys: the images' keys
        identities: the identity of each image
        fraction: from 0 to below 1
        seed: any integer
        by: what is held out

    Returns:
        Rows for training and rows for validation, int64, each sorted.

    Raises:
        ValueError: the fraction is impossible, or there are too few identities to hold some out.
    """
    _check(fraction)
    images: dict[str, list[int]] = {}
    for row, who in enumerate(identities):
        images.setdefault(who, []).append(row)
    held: list[int] = []
    if by == "identities":
        held = [row for who in held_identities(images, fraction, seed) for row in images[who]]
    else:
        for rows in images.values():
            count = held_images(len(rows), fraction)
            held += sorted(rows, key=lambda row: _hash(seed, keys[row]))[:count]
    validation = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(keys), dtype=np.int64), validation), validation


def held_images(count: int, fraction: float) -> int:
    """How many of an identity's ``count`` images are held out: round(fraction count), but one at least and never all."""
    return min(max(int(fraction * count + 0.5), 1), count - 1) if fraction > 0 else 0


def held_identities(identities: Iterable[str], fraction: float, seed: int) -> list[str]:
    """Which of the identities are held out: round(fraction n) of them by the hashes of (seed, identity), sorted by these.

    Two at least, and two at least are left.

    Raises:
        ValueError: there are fewer than four.
    """
    _check(fraction)
    if fraction == 0:
        return []
    ordered = sorted(set(identities), key=lambda who: _hash(seed, who))
    if len(ordered) < 2 * FEWEST:
        raise ValueError(
            f"split.by: identities holds out {FEWEST} identities at least and leaves {FEWEST}, and there are {len(ordered)}; "
            "use split.by: images"
        )
    return ordered[: min(max(int(fraction * len(ordered) + 0.5), FEWEST), len(ordered) - FEWEST)]


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()


def _check(fraction: float) -> None:
    if not 0 <= fraction < 1:
        raise ValueError(f"the validation fraction must be from 0 to below 1, found {fraction}")
