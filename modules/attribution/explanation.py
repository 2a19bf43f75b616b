"""Input of a score: the maps of one method, with the network, images and target they were computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from modules.attribution.explainer import Reference
from modules.attribution.targets import Target
from modules.shape_inference import Size


@dataclass(frozen=True, eq=False)
class Explained:
    """One explainer's maps of N images; the two images of a pair are consecutive rows, left first.

    Attributes:
        network: the trained network, in evaluation mode
        explainer: config of the explainer
        images: (N, 3, H, W) float in [-1, 1]
        size: of the images: one number, or (H, W)
        maps: name of the map ("" if the method has only one) -> float32 (N, h, w), larger = more important
        signed: the names of the maps whose values below 0 mean the opposite of values above
        target: the explained target, N rows; None for pair methods
        labels: int64 (N,), the class of each image; None for pairs
        same: bool (N / 2,), True for genuine pairs; None for single images
        missing: indices of the pairs that the method refused; their maps are meaningless
        find_reference: returns the pairs for tuning the method; may read images from disk
        find_regions: returns bool (N, H, W), the true region in which each image differs from the other one of its pair, empty
            if unknown; or None. May read images from disk
        find_common_regions: the same of the true region in which both images of a pair of two subjects show the same
    """

    network: Any
    explainer: Any
    images: Tensor
    size: Size
    maps: Mapping[str, np.ndarray]
    signed: frozenset[str] = frozenset()
    target: Target | None = None
    labels: np.ndarray | None = None
    same: np.ndarray | None = None
    missing: frozenset[int] = frozenset()
    find_reference: Callable[[], Reference | None] = lambda: None
    find_regions: Callable[[], np.ndarray | None] = lambda: None
    find_common_regions: Callable[[], np.ndarray | None] = lambda: None

    def __post_init__(self) -> None:
        assert self.maps, "no map"
        for name, maps in self.maps.items():
            assert len(maps) == len(self.images), (name, maps.shape, self.images.shape)
        assert self.same is None or 2 * len(self.same) == len(self.images), self.images.shape

    @cached_property
    def reference(self) -> Reference | None:
        return self.find_reference()

    @cached_property
    def regions(self) -> np.ndarray | None:
        return self.find_regions()

    @cached_property
    def common_regions(self) -> np.ndarray | None:
        return self.find_common_regions()

    @property
    def pairs(self) -> np.ndarray:
        """Indices, int64, of the pairs that have maps."""
        assert self.same is not None
        return np.array([pair for pair in range(len(self.same)) if pair not in self.missing], np.int64)

    @property
    def rows(self) -> np.ndarray:
        """Indices, int64, of the images that have maps."""
        if self.same is None:
            return np.arange(len(self.images))
        return np.stack([2 * self.pairs, 2 * self.pairs + 1], axis=1).reshape(-1)


class Scorer(Protocol):
    """Interface of a score, built by a ``ScoreConfig``."""

    def score(self, explained: Explained) -> dict[str, Any]:
        """Returns a JSON value, deterministic for given maps. The report and MLflow read these keys:

        * ``of``: "images" or "pairs"; ``count``: how many were scored; ``missing``: how many had no map
        * ``maps``: name of the map -> name of a number -> ``value``, ``low`` and ``high`` (95 % interval), and ``above``: name
          of a baseline -> the same three for the paired difference to that baseline
        * ``baselines``: name of a baseline -> name of a number -> ``value``, ``low``, ``high``
        * ``headlines``: names of the numbers shown in tables; ``lower_is_better``: names of those where lower is better
        * ``ranges``: name of a number -> its smallest and largest possible value, where it has both
        * ``flags``: name of the map -> list of warnings
        * ``each``: ``of``, "images" or "pairs"; ``rows``, the indices of those that were scored; and ``maps``: name of the map
          -> name of a number -> its value for each of them. With it the report compares the score with ground truth

        Only ``of``, ``count`` and ``maps`` are required. Other keys are stored unchanged.

        Raises:
            Refused: the score does not apply: ``code`` is machine-readable, ``reason`` is for users.
        """
