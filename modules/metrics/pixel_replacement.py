"""Replaces pixels of images in the order given by a map and computes numbers at each step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from configs.component import Config

Values = Callable[[np.ndarray, np.ndarray], Any]
"""Images float32 (B, 3, H, W) in [-1, 1] and the rows (B,) that they are versions of, to numbers (B, ...).

It may also return a function that returns the numbers: a network on a GPU then computes while the next images are made.
"""

AHEAD = 2  # batches that are started before the numbers of an earlier one are read


class Settings(Config):
    """How pixels are hidden.

    Fields:
        shares: fractions of hidden pixels, increasing, from 0 to 1
        blur: standard deviation of the Gaussian blur that hides pixels, in image heights; ``sigma`` returns it in pixels
        seed: of tie-breaking, of the random baseline, and of the bootstrap
        batch: images per forward pass; the last batch is padded, so that all have the same shape. In a grid file, the default
            stands for as many as fit on a GPU
        resamples: number of bootstrap resamples
        center: standard deviation of the center baseline, in image heights and widths
    """

    shares: tuple[float, ...] = tuple(step / 10 for step in range(11))
    blur: float = Field(default=0.1, gt=0)
    seed: int = Field(default=0, ge=0)
    batch: int = Field(default=32, ge=1)
    resamples: int = Field(default=1000, ge=1)
    center: float = Field(default=0.25, gt=0)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        rising = all(a < b for a, b in pairwise(self.shares))
        if len(self.shares) < 2 or self.shares[0] != 0 or self.shares[-1] != 1 or not rising:
            raise ValueError(f"shares rise from 0 to 1; found {list(self.shares)}")
        return self

    def sigma(self, height: int) -> float:
        """Standard deviation of the Gaussian blur, in pixels."""
        return self.blur * height


def to_images(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes maps (N, h, w) to float64 (N, H, W), bilinear with half-pixel centers; maps of that size are unchanged.

    Raises:
        ValueError: a map contains NaN or infinity.
    """
    import cv2

    wide = np.asarray(maps, np.float64)
    assert wide.ndim == 3, wide.shape
    bad = np.flatnonzero(~np.isfinite(wide).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(f"{len(bad)} of {len(wide)} maps hold NaN or infinity, the first is map {bad[0]}")
    if wide.shape[1:] == tuple(size):
        return wide
    for axis in (1, 2):
        if wide.shape[axis] == 1:  # OpenCV would round the copies of a single row or column differently, and so rank them
            wide = np.repeat(wide, 2, axis)
    found = np.empty((len(wide), *size))
    for row, one in enumerate(wide):
        found[row] = cv2.resize(one, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return found


def order(maps: np.ndarray, seed: int, side: int = 0) -> np.ndarray:
    """Pixels of each map (N, H, W), least important first: int64 (N, H x W).

    Ties are broken by a random order of all pixels, seeded by ``seed``, ``side`` and the row index, so it is the same for all
    methods. The two images of a pair (``side`` 0 and 1) have different orders: if both lost the same pixels, the remaining ones
    would stay comparable, and a map would be rewarded for its ties.
    """
    flat = np.asarray(maps).reshape(len(maps), -1)
    found = np.empty(flat.shape, np.int64)
    for row, one in enumerate(flat):
        found[row] = np.lexsort((np.random.default_rng([seed, side, row]).permutation(len(one)), one))
    return found


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blurs images (N, 3, H, W) by a Gaussian of ``sigma`` pixels, truncated at 4 sigma, mirrored at the border; same dtype."""
    from scipy.ndimage import gaussian_filter

    found = [gaussian_filter(one.astype(np.float64), (0, sigma, sigma), truncate=4.0) for one in images]
    return np.stack(found).astype(images.dtype)


def course(
    values: Values, images: np.ndarray, hidden: np.ndarray, orders: np.ndarray, shares: Sequence[float], batch: int
) -> np.ndarray:
    """Numbers (F, N, ...) after replacing the first ``shares`` of each image's pixels, in its order.

    A batch may hold several shares of an image.

    Args:
        values: function of images, such as embeddings
        images: (N, 3, H, W)
        hidden: (N, 3, H, W), the replacement pixels
        orders: (N, H x W), as returned by ``order``
        shares: (F,), fractions of the pixels, rounded to whole pixels
        batch: images per call of ``values``
    """
    count, pixels = orders.shape
    total = len(shares) * count
    other = hidden.reshape(count, images.shape[1], pixels)
    started: deque[Any] = deque()
    found = []
    for start in range(0, total, batch):
        places, rows = np.divmod(np.minimum(np.arange(start, start + batch), total - 1), count)
        block = images[rows].reshape(batch, images.shape[1], pixels)
        for altered, place, row in zip(block, places, rows, strict=True):
            which = orders[row, : round(shares[place] * pixels)]
            altered[:, which] = other[row][:, which]
        started.append(values(block.reshape(batch, *images.shape[1:]), rows))
        while len(started) > AHEAD:
            found.append(read(started.popleft()))
    numbers = np.concatenate([*found, *map(read, started)])
    assert len(numbers) == -(-total // batch) * batch, (numbers.shape, total, batch)
    return numbers[:total].reshape(len(shares), count, *numbers.shape[1:])


def read(numbers: Any) -> np.ndarray:
    """The numbers that ``Values`` returned, or that the function that it returned returns."""
    return np.asarray(numbers() if callable(numbers) else numbers)


def area(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Area (...) under (F, ...) numbers over the F shares by the trapezoid rule, divided by the range of the shares."""
    steps = np.diff(np.asarray(shares, np.float64))
    wide = np.asarray(values, np.float64)
    heights = (wide[1:] + wide[:-1]) / 2
    return np.tensordot(steps, heights, axes=1) / (shares[-1] - shares[0])
