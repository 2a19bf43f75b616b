"""Embeddings that were computed elsewhere, in an ``.npz`` file: they are evaluated in place of a network.

The file has ``keys`` (n,), text, and ``embeddings`` (n, D), float. A key is that of an image in the dataset, such as
``Ann_Veneman/Ann_Veneman_0003.jpg``, or a path that ends with it. It comes with ``pretraining: external``, the head ``gmp`` and
``recipe: none``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from configs.component import LOCATION
from configs.network_interfaces import BackboneConfig
from modules.layers.embedding import Embedding
from modules.weights.files import sha256

ABSENT, AMBIGUOUS = -1, -2


class StoredConfig(BackboneConfig):
    """The file, and the length of its vectors."""

    name: Literal["stored"] = "stored"
    finished: ClassVar[bool] = True
    stored: ClassVar[bool] = True
    path: Annotated[Path, LOCATION]
    dimension: int = Field(default=512, ge=1)

    def build(self) -> Embedding:
        return Embedding(Nothing(self), self.dimension)

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """float64 (n, dimension), the stored embeddings of the images with these keys, not normalized.

        Raises:
            ValueError: the file is missing, damaged or of another dimension, or lacks an image.
        """
        names, found = read_embeddings(self.path)
        if found.shape[1] != self.dimension:
            raise ValueError(
                f"{self.path}: embeddings have {found.shape[1]} numbers, and backbone.dimension is {self.dimension}; set it"
            )
        rows = places(names, keys, self.path)
        return np.asarray(found[rows], np.float64)


class Nothing(nn.Module):
    """Has the shape of a network and computes nothing."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def forward(self, images: Tensor) -> Tensor:
        """(N, dimension, 1, 1) on the meta device, for shapes.

        Raises:
            ValueError: an image is to be embedded.
        """
        if images.is_meta:
            return images.new_empty(len(images), self.config.dimension, 1, 1)
        raise ValueError(
            f"{self.config.path}: stored embeddings and scores have no network, so they embed no other images: leave out "
            "explainers and stages that need one"
        )


def read_embeddings(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(keys (n,), embeddings (n, D)) of an ``.npz`` file; pickled objects are not read.

    Raises:
        ValueError: missing, damaged, or without these two arrays; one line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    return _read(path, sha256(path))


@cache
def _read(path: Path, _: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, vectors = file["keys"], file["embeddings"]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, TypeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{path}: no .npz file with text 'keys' and numbers 'embeddings' ({why})") from error
    if keys.ndim != 1 or keys.dtype.kind != "U" or vectors.ndim != 2 or vectors.dtype.kind != "f" or len(keys) != len(vectors):
        raise ValueError(
            f"{path}: keys are {keys.dtype} {keys.shape} and embeddings {vectors.dtype} {vectors.shape}; expected text "
            "(n,) and floats (n, D)"
        )
    return keys, vectors


def places(names: np.ndarray, keys: Sequence[str], path: Path) -> np.ndarray:
    """int64: the row of each key in ``names``, which may be paths that end with it.

    Raises:
        ValueError: a key is not there, or two paths end with it; names it.
    """
    if len(np.unique(names)) < len(names):
        raise ValueError(f"{path}: a key stands twice; each image has one embedding")
    found = rows_of_keys(names, keys)
    if len(bad := np.flatnonzero(found < 0)):
        why = "is not among its keys" if found[bad[0]] == ABSENT else "is the end of two of its keys"
        raise ValueError(f"{path}: the image {keys[bad[0]]} {why}; a key is that of the dataset, or a path that ends with it")
    return found


def rows_of_keys(names: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """int64: the row of each key in ``names``, which differ and may be paths that end with it; ``ABSENT``, or ``AMBIGUOUS`` if
    two paths end with it."""
    exact = {name: row for row, name in enumerate(names.tolist())}
    ends: dict[int, dict[str, int]] = {}  # number of parts of a path -> its last parts -> row
    found = []
    for key in keys:
        parts = key.count("/") + 1
        if key not in exact and parts not in ends:
            ends[parts] = {}
            for name, place in exact.items():
                end = "/".join(PurePosixPath(name).parts[-parts:])
                ends[parts][end] = AMBIGUOUS if end in ends[parts] else place
        found.append(exact[key] if key in exact else ends[parts].get(key, ABSENT))
    return np.array(found, np.int64)
