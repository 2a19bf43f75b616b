"""What an explainer gives: attribution maps as they are, before any colour, or a reason why it does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from modules.attribution.targets import Target


@dataclass(frozen=True)
class Attribution:
    """Raw maps of one method on one network.

    Attributes:
        maps: float32 (N, h, w), at the layer's own resolution, in the method's own unit.
        layer: name of the stage that was looked at; "" where the method has none.
        layer_shape: (channels, h, w) of that stage's output.
        target: what is explained, in words, such as "logit of the given class".
        notes: facts that a reader of the maps needs, as JSON values.
        signed: whether values below 0 mean the opposite of values above; otherwise maps are drawn from 0 on.
        images: float32 (N, 3, H, W) in [-1, 1], of methods that make images; None for all others.

    Raises:
        Refused: a map or an image holds NaN or infinity.
    """

    maps: np.ndarray
    layer: str
    layer_shape: tuple[int, int, int]
    target: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    signed: bool = False
    generated: np.ndarray | None = None

    def __post_init__(self) -> None:
        assert self.maps.ndim == 3, self.maps.shape
        _check(self.maps)
        if self.generated is not None:
            assert self.generated.ndim == 4, self.generated.shape
            assert self.generated.shape[:2] == (len(self.maps), 3), (self.generated.shape, self.maps.shape)
            _check(self.generated)


@dataclass(frozen=True)
class PairAttribution:
    """Raw maps of one method on N pairs of images.

    Attributes:
        maps: name of the map, such as "S+", -> float32 (N, 2, h, w): of the left and of the right image.
        cosines: float32 (N,), of each pair.
        target: as ``Attribution``.
        layer: as ``Attribution``.
        notes: as ``Attribution``.
        signed: the names of the maps whose values below 0 mean the opposite of values above.

    Raises:
        Refused: a map holds NaN or infinity.
    """

    maps: Mapping[str, np.ndarray]
    cosines: np.ndarray
    target: str
    layer: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        assert self.maps, "no map"
        for name, found in self.maps.items():
            assert found.ndim == 4, (name, found.shape)
            assert found.shape[:2] == (len(self.cosines), 2), (name, found.shape)
            _check(found)


def _check(maps: np.ndarray) -> None:
    assert maps.dtype == np.float32, maps.dtype
    bad = np.flatnonzero(~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim))))
    if len(bad):
        raise Refused("not_finite", f"{len(bad)} of {len(maps)} maps hold NaN or infinity, the first is map {bad[0]}")


class Refused(ValueError):
    """A method does not apply here: ``code`` for programs, ``reason`` for readers."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return type(self), (self.code, self.reason)  # survives the way between processes


class Explainer:
    """Base of explainers of one image at a time."""

    def explain(self, network: Any, images: Any, target: Target, size: int | tuple[int, int]) -> Attribution:
        """Maps of ``images`` (N, 3, height, width), as ``size`` says, float in [-1, 1], for a ``target`` of as many rows.

        The network is left as it was: mode, gradients, hooks. Each map depends on its own image alone.

        Raises:
            Refused: the method does not apply to this network or to this target, or its config names what this network, or this
                size of image, does not have.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Reference:
    """What methods may be tuned on: images that no evaluation uses.

    Attributes:
        left, right: (M, 3, height, width) float in [-1, 1], pairs
        same: bool (M,), True for a genuine pair
        mean: (3,), the mean colour of the protocol's images, in [-1, 1]
    """

    left: Any
    right: Any
    same: Any
    mean: Any


class PairExplainer:
    """Base of explainers of two images at a time.

    Attributes:
        asks: whether ``explain`` takes ``same``, bool (N,): which of the pairs are genuine in truth
    """

    asks: ClassVar[bool] = False

    def explain(
        self, network: Any, left: Any, right: Any, size: int | tuple[int, int], reference: Reference | None = None
    ) -> PairAttribution:
        """Maps of N pairs of images, each (N, 3, height, width) float in [-1, 1]; each pair's maps depend on that pair alone.

        The network is left as it was: mode, gradients, hooks.

        Raises:
            Refused: the method does not apply to this network, or needs a ``reference`` and there is none, or its config names
                what this network, or this size of image, does not have.
        """
        raise NotImplementedError

    def tuned(
        self, network: Any, images: Any, size: int | tuple[int, int], reference: Reference | None = None
    ) -> PairExplainer:
        """The method with what it learns from the reference pairs held as it is for this network: itself, where that is nothing
        or costs nothing. ``images`` (N, 3, height, width) give type and device. Errors as ``explain``.

        Sanity checks ask for it: they reinitialize networks, and a scale that is no part of a map need not be found for each.
        """
        return self
