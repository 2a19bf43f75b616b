"""Finds near duplicates between two sets of millions of images: resized, recompressed or slightly brightened copies.

An image's hash has 64 bits, the signs of the lowest frequencies of its brightness (Zauner: Implementation and benchmarking
of perceptual image hash functions. 2010). Two hashes that differ in at most k bits agree in one of k + 1 parts, so only
images that share a part are compared (Norouzi, Punjani, Fleet: Fast search in Hamming space with multi-index hashing.
CVPR 2012). Faces with the same crop and alignment have similar low frequencies, so each match is verified by the images'
thumbnails.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from configs.data_interfaces import Dataset, Progress
from datamodules import cache_file

BITS = 64
SIDE = 32  # side in pixels of the square that is hashed
THUMB = 16  # side of the thumbnail in pixels
CONTRAST = 2.0  # gray levels; an image with less variation has no structure to hash
ALIKE = 0.97  # minimum correlation of the thumbnails of two near duplicates
PAIRS = 1 << 22  # candidates in memory at a time
BLOCK = 64  # images read at a time


@dataclass(frozen=True, eq=False)
class Prints:
    """Fingerprints of N images.

    Attributes:
        hashes: uint64 (N,)
        thumbs: uint8 (N, 256), gray thumbnails
        structured: bool (N,), False for images too uniform to be compared
    """

    hashes: np.ndarray
    thumbs: np.ndarray
    structured: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)

    def save(self, path: Path) -> None:
        """Writes the file atomically."""
        cache_file.save(path, lambda file: np.savez(file, **vars(self)))

    @classmethod
    def load(cls, path: Path) -> Prints | None:
        """Reads a saved file; None if it is absent or damaged."""
        data = cache_file.read(path)
        if data is None:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return cls(**file)


def prints(dataset: Dataset, progress: Progress | None = None) -> Prints:
    """Fingerprints of a dataset's images, row by row; every image is read once."""
    count = len(dataset)
    found: list[tuple[int, np.ndarray, bool]] = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, count, BLOCK):
            rows = range(start, min(start + BLOCK, count))
            found += pool.map(lambda row: image_print(dataset.image(row)), rows)
            if progress is not None:
                progress(len(found), count)
    return Prints(
        hashes=np.array([one[0] for one in found], np.uint64),
        thumbs=np.array([one[1] for one in found], np.uint8).reshape(-1, THUMB * THUMB),
        structured=np.array([one[2] for one in found], bool),
    )


def image_print(image: np.ndarray) -> tuple[int, np.ndarray, bool]:
    """(hash, thumbnail uint8 (256,), whether it has structure) of an image, uint8 (height, width, 3)."""
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    thumb = cv2.resize(gray, (THUMB, THUMB), interpolation=cv2.INTER_AREA).ravel()
    low = (_COSINES @ gray.astype(np.float64) @ _COSINES.T).ravel()[1 : BITS + 1]  # without the mean
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big"), thumb, bool(gray.std() >= CONTRAST)


# 9 x 9 frequencies; in row order, the 64 after the mean are used
_COSINES = np.cos(np.pi * (np.arange(SIDE) + 0.5) * np.arange(9)[:, None] / SIDE)


def near(ours: Prints, theirs: Prints, bits: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (row of ours, row of theirs), int64 (n, 2), sorted, and the Hamming distances of their hashes, int64 (n,).

    All pairs whose hashes differ in at most ``bits`` are found; those whose thumbnails correlate by at least 0.97 are kept.

    Raises:
        ValueError: ``bits`` is not from 0 to 15.
    """
    if not 0 <= bits <= 15:
        raise ValueError(f"bits are from 0 to 15, found {bits}")
    keep, against = np.flatnonzero(ours.structured), np.flatnonzero(theirs.structured)
    found = [np.zeros((0, 2), np.int64)]
    for left, right in _candidates(ours.hashes[keep], theirs.hashes[against], bits):
        a, b = keep[left], against[right]
        alike = _correlation(ours.thumbs[a], theirs.thumbs[b]) >= ALIKE
        found.append(np.stack([a[alike], b[alike]], axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)  # a pair may share several parts
    distance = np.bitwise_count(ours.hashes[pairs[:, 0]] ^ theirs.hashes[pairs[:, 1]]).astype(np.int64)
    return pairs, distance


def _candidates(ours: np.ndarray, theirs: np.ndarray, bits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (left, right) whose hashes differ in at most ``bits``; a pair may occur more than once."""
    edges = np.linspace(0, BITS, bits + 2).astype(int)
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        mask = np.uint64((1 << (high - low)) - 1)
        mine, other = (ours >> np.uint64(low)) & mask, (theirs >> np.uint64(low)) & mask
        order = np.argsort(other, kind="stable")
        first = np.searchsorted(other, mine, side="left", sorter=order)
        counts = np.searchsorted(other, mine, side="right", sorter=order) - first
        ends = np.cumsum(counts)
        start = 0
        while start < len(mine):
            base = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, base + PAIRS, side="right")))
            part = counts[start:stop]
            left = np.repeat(np.arange(start, stop), part)
            inside = np.arange(len(left)) - np.repeat(ends[start:stop] - part - base, part)
            right = order[first[left] + inside]
            close = np.bitwise_count(ours[left] ^ theirs[right]) <= bits
            yield left[close], right[close]
            start = stop


def _correlation(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """float32 (n,): correlation of the thumbnails' gray levels."""
    a, b = (each.astype(np.float32) - each.mean(axis=1, dtype=np.float32, keepdims=True) for each in (ours, theirs))
    size = np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
    return np.einsum("nd,nd->n", a, b) / np.maximum(size, np.float32(1e-6))
