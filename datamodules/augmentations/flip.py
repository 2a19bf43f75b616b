"""Horizontal flip."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import AliasChoices, Field

from configs.data_interfaces import Augmentation, AugmentationConfig


class FlipConfig(AugmentationConfig):
    name: Literal["flip"] = "flip"
    # ``probability`` as in the other pipeline steps, or ``p``, the original name.
    p: Annotated[float, Field(ge=0, le=1, validation_alias=AliasChoices("p", "probability"))] = 0.5

    def build(self) -> Augmentation:
        return self._flipped

    def _flipped(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image or its mirror image, depending on ``seed``."""
        mirrored = np.random.default_rng(seed).random() < self.p
        return np.ascontiguousarray(image[:, ::-1]) if mirrored else image
