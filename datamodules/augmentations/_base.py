"""Common parts of the augmentations: seeds, fields and their ranges, and albumentations as a pure function."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from configs.data_interfaces import AugmentationConfig

Probability = Annotated[float, Field(ge=0, le=1)]


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the lower end comes first; found {value[0]:g}, {value[1]:g}")
    return value


ORDERED = AfterValidator(_ordered)
"""Marks a range that is written as [lowest, highest]."""


class SmallChangesConfig(AugmentationConfig):
    """The fields of small identity-preserving changes."""

    flip: Probability = 0.5
    move: Probability = 0.5  # probability of shift, scale and rotation, which are applied together
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.05  # maximum, as a fraction of the side
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.08  # maximum: factor from 1 - scale to 1 + scale
    rotate: Annotated[float, Field(ge=0, le=180)] = 8.0  # maximum, in degrees
    light: Probability = 0.5  # probability of a change of brightness and contrast
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.15  # maximum, as a fraction of white
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.15  # maximum: factor from 1 - contrast to 1 + contrast

    @property
    def moves(self) -> bool:
        return self.move > 0 and max(self.shift, self.scale, self.rotate) > 0


def augmentation_seed(seed: int, epoch: int, row: int, time: int = 0) -> int:
    """A 32-bit seed from the numbers, the same on every machine and in every process.

    Args:
        time: number of times that the epoch had the row before
    """
    text = f"{seed} {epoch} {row} {time}" if time else f"{seed} {epoch} {row}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def step_seed(seed: int, place: int) -> int:
    """A 32-bit seed for step ``place`` of a pipeline; steps draw independent random numbers."""
    return int.from_bytes(hashlib.sha256(f"{seed} step {place}".encode()).digest()[:4], "little")


def library() -> Any:
    """The module albumentations, imported without its online check for a newer version."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations


class Seeded:
    """An albumentations transform as a pure function of image and seed.

    Transforms hold their random state, so threads that share one would disturb each other's random numbers. Each thread
    therefore has its own copy, which is seeded for every image.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = transform
        self._mine = threading.local()

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (height, width, 3) to the same shape."""
        transform = getattr(self._mine, "transform", None)
        if transform is None:
            transform = self._mine.transform = copy.deepcopy(self.transform)
        transform.set_random_seed(seed)
        return transform(image=image)["image"]

    def __getstate__(self) -> dict[str, Any]:
        return {"transform": self.transform}  # an unpickled instance makes its own copies per thread

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["transform"])  # type: ignore[misc]
