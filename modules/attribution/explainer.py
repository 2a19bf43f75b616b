"""Explainer interfaces and results: raw attribution maps (no color map), or a reason why the method does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from configs.contract import broken
from configs.float32_precision import without_tf32
from modules.attribution.targets import Target
from modules.shape_inference import Size

PAGE = "explainer"  # of docs/extending


@dataclass(frozen=True)
class Attribution:
    """Raw maps of one method on one network.

    Attributes:
        maps: float32 (N, h, w), at the layer's resolution, in the method's unit.
        layer: name of the explained stage; "" if the method uses none.
        layer_shape: (channels, h, w) of that stage's output.
        target: description of what is explained, such as "logit of the given class".
        notes: further facts needed to read the maps, as JSON values.
        signed: whether values below 0 mean the opposite of values above; otherwise maps are drawn from 0 upwards.
        generated: float32 (N, 3, H, W) in [-1, 1], for methods that generate images; None for all others.

    Raises:
        Refused: a map or an image contains NaN or infinity.
        ContractError: ``maps`` or ``generated`` has another type or shape.
    """

    maps: np.ndarray
    layer: str
    layer_shape: tuple[int, int, int]
    target: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    signed: bool = False
    generated: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check("Attribution.maps is", self.maps, "(N, h, w), one map per image")
        if self.generated is not None:
            _check("Attribution.generated is", self.generated, f"({len(self.maps)}, 3, H, W)", (len(self.maps), 3, None, None))


@dataclass(frozen=True)
class PairAttribution:
    """Raw maps of one method on N pairs of images.

    Attributes:
        maps: name of the map, such as "S+", -> float32 (N, 2, h, w): for the left and the right image.
        cosines: float32 (N,), one per pair.
        target: as ``Attribution``.
        layer: as ``Attribution``.
        notes: as ``Attribution``.
        signed: the names of the maps whose values below 0 mean the opposite of values above.

    Raises:
        Refused: a map contains NaN or infinity.
        ContractError: ``maps`` is not such a mapping, or a map has another type or shape.
    """

    maps: Mapping[str, np.ndarray]
    cosines: np.ndarray
    target: str = "cosine of the two images"
    layer: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.maps, Mapping) or not self.maps:
            raise broken("PairAttribution.maps is", self.maps, "a mapping from names to maps, with at least one map", PAGE)
        if not isinstance(self.cosines, np.ndarray) or self.cosines.ndim != 1:
            raise broken("PairAttribution.cosines is", self.cosines, "a numpy array (N,), one cosine per pair", PAGE)
        count = len(self.cosines)
        for name, found in self.maps.items():
            what = f"PairAttribution.maps[{name!r}] is"
            _check(what, found, f"({count}, 2, h, w): for each pair the left and the right image", (count, 2, None, None))


def _check(what: str, maps: Any, expected: str, shape: tuple[int | None, ...] = (None, None, None)) -> None:
    """Raises ContractError unless ``maps`` is a float32 array of ``shape``, None being any length above 0; checks values."""
    fits = isinstance(maps, np.ndarray) and maps.dtype == np.float32 and maps.ndim == len(shape)
    if not fits or any(found == 0 or wanted not in (None, found) for found, wanted in zip(maps.shape, shape, strict=True)):
        raise broken(what, maps, f"a numpy array float32 {expected}", PAGE)
    bad = np.flatnonzero(~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim))))
    if len(bad):
        raise Refused("not_finite", f"{len(bad)} of {len(maps)} maps hold NaN or infinity, the first is map {bad[0]}")


class Refused(ValueError):
    """A method does not apply: ``code`` is machine-readable, ``reason`` is for users."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return type(self), (self.code, self.reason)  # can be pickled between processes


Config = TypeVar("Config")


class _Method(Generic[Config]):
    """Keeps the config of a method.

    Methods of subclasses run without TF32, also outside a stage: its rounding changes maps far more than float32 does.
    """

    def __init__(self, config: Any = None) -> None:
        self.config: Config = config

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("explain", "tuned"):
            if name in cls.__dict__:
                setattr(cls, name, without_tf32()(cls.__dict__[name]))


class Explainer(_Method[Config]):
    """Base class of explainers of single images."""

    def explain(self, network: Any, images: Any, target: Target, size: Size) -> Attribution:
        """Maps of ``images`` (N, 3, height, width) of the given ``size``, float in [-1, 1], for a ``target`` of N rows.

        Leaves the network's mode, gradients and hooks unchanged. Each map depends only on its own image.

        Raises:
            Refused: the method does not apply to this network or target, or its config names something (e.g. a layer) that does
                not exist for this network or image size.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Reference:
    """Pairs for tuning methods; never used in an evaluation.

    Attributes:
        left, right: (M, 3, height, width) float in [-1, 1], the images of the pairs
        same: bool (M,), True for a genuine pair
        mean: (3,), the mean color of the protocol's images, in [-1, 1]
    """

    left: Any
    right: Any
    same: Any
    mean: Any


class PairExplainer(_Method[Config]):
    """Base class of explainers of image pairs.

    Attributes:
        asks: whether ``explain`` takes ``same``, bool (N,): the ground truth, True for genuine pairs
    """

    asks: ClassVar[bool] = False

    def explain(self, network: Any, left: Any, right: Any, size: Size, reference: Reference | None = None) -> PairAttribution:
        """Maps of N pairs, ``left`` and ``right`` (N, 3, height, width) float in [-1, 1]; each pair is explained independently.

        Leaves the network's mode, gradients and hooks unchanged.

        Raises:
            Refused: the method does not apply to this network, needs a ``reference`` but got none, or its config names
                something (e.g. a layer) that does not exist for this network or image size.
        """
        raise NotImplementedError

    def tuned(self, network: Any, images: Any, size: Size, reference: Reference | None = None) -> PairExplainer:
        """Returns the method with the parameters learned from the reference pairs fixed for this network; itself if there are
        none or they are cheap. ``images`` (N, 3, height, width) give dtype and device. Raises as ``explain``.

        Used by sanity checks: they reinitialize networks, and a mere scale of the maps need not be estimated for each one.
        """
        return self
