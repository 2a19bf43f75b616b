"""What a score is given: the maps of one method, and all that they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from modules.attribution.explainer import Reference
from modules.attribution.targets import Target


@dataclass(frozen=True, eq=False)
class Explained:
    """One explainer's maps of N images; the two images of a pair stand one after the other, left first.

    Attributes:
        network: the trained one, in evaluation mode
        explainer: the config that the maps were made by
        images: (N, 3, H, W) float in [-1, 1]
        size: of the images: one number, or (H, W)
        maps: name of the map ("" where the method has one) -> float32 (N, h, w), larger = more important
        signed: the names of the maps whose values below 0 mean the opposite of values above
        target: N rows, what was explained; None for methods that look at two images at a time
        labels: int64 (N,), the class of each image; None for pairs
        same: bool (N / 2,), which pairs are genuine; None for single images
        missing: pairs that the method refused, each for itself; their maps say nothing
        find_reference: what the method may be tuned on; a call may read images
        find_regions: bool (N, H, W), where each image truly differs from the other one of its pair, empty where nobody knows;
            or None. A call may read images
    """

    network: Any
    explainer: Any
    images: Tensor
    size: int | tuple[int, int]
    maps: Mapping[str, np.ndarray]
    signed: frozenset[str] = frozenset()
    target: Target | None = None
    labels: np.ndarray | None = None
    same: np.ndarray | None = None
    missing: frozenset[int] = frozenset()
    find_reference: Callable[[], Reference | None] = lambda: None
    find_regions: Callable[[], np.ndarray | None] = lambda: None

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

    @property
    def pairs(self) -> np.ndarray:
        """int64, the pairs that have maps."""
        assert self.same is not None
        return np.array([pair for pair in range(len(self.same)) if pair not in self.missing], np.int64)

    @property
    def rows(self) -> np.ndarray:
        """int64, the images that have maps."""
        if self.same is None:
            return np.arange(len(self.images))
        return np.stack([2 * self.pairs, 2 * self.pairs + 1], axis=1).reshape(-1)


class Scorer(Protocol):
    """What a ``ScoreConfig`` builds."""

    def score(self, explained: Explained) -> dict[str, Any]:
        """A JSON value, the same for the same maps. What the report and MLflow read of it:

        * ``of``: "images" or "pairs"; ``count``: how many were scored; ``missing``: how many were not, having no map
        * ``maps``: name of the map -> name of a number -> ``value``, ``low`` and ``high`` (95 %), and ``above``: name of a
          baseline -> the same three of the paired difference to that baseline
        * ``baselines``: name of a baseline -> name of a number -> the same
        * ``headlines``: the names of the numbers that tables show; ``lower_is_better``: of those where less is better
        * ``flags``: name of the map -> list of warnings

        All but ``of``, ``count`` and ``maps`` may be left out. Everything else is kept as it is.

        Raises:
            Refused: the score does not apply: ``code`` for programs, ``reason`` for readers.
        """
