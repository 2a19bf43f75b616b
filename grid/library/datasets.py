"""Datasets with ``len()`` and ``[i]``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from inspect import Parameter
from pathlib import Path
from typing import Any, overload

import numpy as np

from configs.data_interfaces import DatasetConfig
from grid.ledger.scratch import machine_folder

TAKES = (Parameter("cache", Parameter.KEYWORD_ONLY, default=None, annotation=Path | None),)


class ImageDataset:
    """Images of subjects, in a fixed order: ``len(faces)``, ``faces[0]``, ``faces.identities[0]``.

    Every image is read once, when the dataset is first used: sizes and digests are stored in ``cache``, and later processes
    read only what has changed. Usable as a map-style dataset of torch.

    Attributes:
        config: the config, as in a grid file
        labels: int64 (N,), the identity of each image as a number
    """

    def __init__(self, config: DatasetConfig, cache: Path) -> None:
        self.config, self.cache = config, cache

    @cached_property
    def images(self) -> Any:
        """The dataset as used by stages: ``image(row)`` and ``manifest``.

        Raises:
            ValueError: files are absent or unreadable; the message says which, and how to get them.
        """
        if missing := self.config.missing():
            raise ValueError(str(missing))
        manifest = self.config.manifest(self.cache)
        if manifest is None:  # an empty one is known, too
            manifest = self.config.scan(self.cache)
        return self.config.build(manifest)

    @property
    def keys(self) -> tuple[str, ...]:
        """A stable name for each image, such as ``Ann_Veneman/Ann_Veneman_0003.jpg``."""
        return tuple(self.images.manifest.keys)

    @property
    def identities(self) -> tuple[str, ...]:
        """The subject of each image."""
        return tuple(self.images.manifest.identities)

    @cached_property
    def labels(self) -> np.ndarray:
        return np.unique(np.array(self.identities, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)

    def __len__(self) -> int:
        return len(self.images.manifest.keys)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        """An image: RGB, uint8, (height, width, 3). For a slice, a list of them."""
        rows = range(len(self))[index]  # IndexError like a list; negative numbers count from the end
        return [self.images.image(row) for row in rows] if isinstance(rows, range) else self.images.image(rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"<{self.config.name}: {len(self):,} images of {len(set(self.identities)):,} subjects>"


def opened(config: DatasetConfig, cache: Path | None = None) -> ImageDataset:
    """The dataset of a config; ``cache`` is a folder."""
    return ImageDataset(config, Path(cache) if cache else default_cache())


def default_cache() -> Path:
    """``$FACEGRID_CACHE``, else ``facegrid`` in the user's cache folder, else a temporary folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    for place in (
        os.environ.get("FACEGRID_CACHE"),
        Path(home, "facegrid"),
        Path(machine_folder(), f"facegrid-{os.getuid()}"),
    ):
        try:
            if place:
                Path(place).mkdir(parents=True, exist_ok=True)
                if os.access(place, os.W_OK):
                    return Path(place)
        except OSError:
            continue
    raise OSError("no folder to keep scans in; set FACEGRID_CACHE")
