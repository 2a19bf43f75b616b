"""The verification sets of InsightFace (``lfw.bin``, ``agedb_30.bin``, ...): a pickle of (images, same).

``images`` are 2N encoded images (bytes or arrays of bytes), ``same`` are N truth values; images 2i and 2i + 1 are pair i.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.formats.safe_pickle import Array, Stored, load, stored_bytes
from datamodules.images import read_bytes


@dataclass(frozen=True, eq=False)
class Verification:
    """The images of a ``.bin`` file and the labels of its pairs.

    Attributes:
        images: location of the 2N images
        same: bool (N,), True for genuine pairs
        sha256: hex, of the whole file
    """

    images: tuple[Stored, ...]
    same: np.ndarray
    sha256: str


def read_bin(path: Path) -> Verification:
    """Reads a ``.bin`` file without decoding images.

    Raises:
        ValueError: the file is damaged, malicious or not a list of pairs; gives file and offset.
    """
    data = read_bytes(path)
    found = load(data, str(path))
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise ValueError(f"{path}, offset 0: expected a pair of lists (images, same), found {_kind(found)}")
    images, same = _images(path, found[0]), _same(path, data, found[1])
    if len(images) != 2 * len(same):
        raise ValueError(f"{path}, offset 0: {len(same)} pairs need {2 * len(same)} images, found {len(images)}")
    if not len(same):
        raise ValueError(f"{path}, offset 0: a list of no pairs")
    return Verification(images, same, hashlib.sha256(data).hexdigest())


def _images(path: Path, found: Any) -> tuple[Stored, ...]:
    if not isinstance(found, (tuple, list)):
        raise ValueError(f"{path}, offset 0: expected a list of images, found {_kind(found)}")
    images: list[Stored] = []
    for place, value in enumerate(found):
        if isinstance(value, Stored):
            images.append(value)
        elif (
            isinstance(value, Array)
            and value.kind == "u1"
            and value.data
            and max(value.shape, default=0) == math.prod(value.shape)
        ):
            images.append(value.data)
        else:
            where = f", offset {value.data.offset}" if isinstance(value, Array) and value.data else ", offset 0"
            raise ValueError(f"{path}{where}: image {place} is {_kind(value)}, expected the bytes of an image file")
    return tuple(images)


def _same(path: Path, data: bytes, found: Any) -> np.ndarray:
    if isinstance(found, Array) and found.kind == "b1" and found.data and len(found.shape) == 1:
        offset, length, coding = found.data
        return np.frombuffer(stored_bytes(data[offset : offset + length], coding), np.uint8) != 0
    if not isinstance(found, (tuple, list)):
        raise ValueError(f"{path}, offset 0: expected a list of truth values, found {_kind(found)}")
    for place, value in enumerate(found):
        if not isinstance(value, int) or value not in (0, 1):
            raise ValueError(f"{path}, offset 0: item {place} of the list of truth values is {_kind(value)}")
    return np.array(found, bool)


def _kind(value: Any) -> str:
    if isinstance(value, Array):
        return f"an array of type {value.kind} and shape {value.shape}"
    if isinstance(value, int):
        return repr(value)
    return f"of type {type(value).__name__}" + (f" with {len(value)} items" if type(value) in (list, tuple) else "")
