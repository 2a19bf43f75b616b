"""The interface of image transforms: degradations of a protocol's images, applied before face detection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field

from configs.component import Component, Config

if TYPE_CHECKING:
    import numpy as np


class TransformConfig(Component, ABC):
    """A deterministic change of an image, such as JPEG compression."""

    kind: ClassVar[str] = "transform"

    @abstractmethod
    def build(self) -> Transform: ...

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of the transformed image, given those of the image."""
        return height, width


class Transform(Protocol):
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """RGB, uint8 (height, width, 3) to (height', width', 3); a pure function of the image."""


class SweepPoint(Config):
    """The place of a protocol in a sweep over one setting of a transform; reports show a sweep as one table and one figure.

    Attributes:
        of: title of the protocol before the transform.
        key: the setting, such as ``jpeg.quality``.
        value: its value in this protocol.
    """

    of: str = Field(min_length=1)
    key: str = Field(pattern=r".+\..+")
    value: float
