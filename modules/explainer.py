"""What an explainer gives: attribution maps as they are, before any colour, or a reason why it does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Attribution:
    """Raw maps of one method on one network.

    Attributes:
        maps: float32 (N, h, w), at the layer's own resolution, in the method's own unit.
        layer: name of the stage that was looked at; "" where the method has none.
        layer_shape: (channels, h, w) of that stage's output.
        target: what is explained, in words, such as "logit of the given class".
        notes: facts that a reader of the maps needs, as JSON values.

    Raises:
        Refused: a map holds NaN or infinity.
    """

    maps: np.ndarray
    layer: str
    layer_shape: tuple[int, int, int]
    target: str
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.maps.ndim == 3, self.maps.shape
        assert self.maps.dtype == np.float32, self.maps.dtype
        bad = np.flatnonzero(~np.isfinite(self.maps).all(axis=(1, 2)))
        if len(bad):
            raise Refused("not_finite", f"{len(bad)} of {len(self.maps)} maps hold NaN or infinity, the first is map {bad[0]}")


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

    def explain(self, network: Any, images: Any, targets: Any, size: int | tuple[int, int]) -> Attribution:
        """Maps of ``images`` (N, 3, height, width), as ``size`` says, float in [-1, 1] for the classes ``targets`` (N,) int64.

        The network is left as it was: mode, gradients, hooks. Each map depends on its own image alone.

        Raises:
            Refused: the method does not apply to this network.
            ValueError: the config names what the network does not have.
        """
        raise NotImplementedError
