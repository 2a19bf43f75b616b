"""Which images of each person are held out for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def split(keys: Sequence[str], identities: Sequence[str], fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds out ``fraction`` of EACH person's images.

    A person with n images gives round(fraction n) of them, but one at least and never all; a person with one image gives none;
    a fraction of 0 holds out nothing. Which ones follows from the hashes of (seed, key): a person's images are divided in the
    same way whoever else is in the dataset.

    Args:
        keys: the images' keys
        identities: the person of each image
        fraction: from 0 to below 1
        seed: any integer

    Returns:
        Rows for training and rows for validation, int64, each sorted.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"the validation fraction must be from 0 to below 1, found {fraction}")
    images: dict[str, list[int]] = {}
    for row, who in enumerate(identities):
        images.setdefault(who, []).append(row)
    held: list[int] = []
    for rows in images.values():
        count = int(fraction * len(rows) + 0.5)
        count = min(max(count, 1), len(rows) - 1) if fraction > 0 else 0
        held += sorted(rows, key=lambda row: hashlib.sha256(f"{seed}\n{keys[row]}".encode()).digest())[:count]
    validation = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(keys), dtype=np.int64), validation), validation
