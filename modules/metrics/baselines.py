"""Baseline maps, which do not depend on the image: random, constant and a center prior."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def random_maps(count: int, size: tuple[int, int], seed: int) -> np.ndarray:
    """float32 (count, H, W), uniform in [0, 1), different for each image."""
    return np.random.default_rng(seed).random((count, *size), dtype=np.float32)


def constant_maps(count: int, size: tuple[int, int]) -> np.ndarray:
    """float32 (count, H, W) of ones; pixels are then ranked by the tie-breaking rule."""
    return np.ones((count, *size), np.float32)


def center_maps(count: int, size: tuple[int, int], spread: float) -> np.ndarray:
    """float32 (count, H, W): a Gaussian around the middle, with standard deviations ``spread`` x H and ``spread`` x W."""
    down, across = (((np.arange(side) + 0.5) / side - 0.5) / spread for side in size)
    one = np.exp(-0.5 * (down[:, None] ** 2 + across[None] ** 2)).astype(np.float32)
    return np.repeat(one[None], count, axis=0)


def baselines(
    count: int, size: tuple[int, int], seed: int, spread: float, methods: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """All three baselines, by their names in the results; raises ValueError if one of ``methods`` has such a name."""
    found = {
        "random": random_maps(count, size, seed),
        "constant": constant_maps(count, size),
        "center": center_maps(count, size, spread),
    }
    if taken := found.keys() & set(methods):
        raise ValueError(f"{sorted(taken)[0]!r} is a baseline's name; call the method otherwise")
    return found
