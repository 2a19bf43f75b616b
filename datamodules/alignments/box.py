"""The detected box with a margin, resized without keeping the aspect ratio, as in facenet-pytorch's ``extract_face``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import AlignmentConfig, Detection
from datamodules.geometry.cutting import CENTER, Size, centered_square, cut, sides


class BoxConfig(AlignmentConfig):
    name: Literal["box"] = "box"
    geometry: ClassVar[str | None] = "box"
    margin: Annotated[int, Field(ge=0)] = 20  # pixels of the output crop, sum of both sides

    def build(self) -> Box:
        return Box(self.margin)


class Box:
    """Needs no landmarks."""

    def __init__(self, margin: int = 20) -> None:
        self.margin = margin

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """The crop, uint8 (height, width, 3) as in ``size``.

        The box is enlarged so that it has a margin of ``margin`` output pixels (half on each side), clipped to the image, and
        resized. If no face was found, the centered square with half the image's shorter side is used.

        Raises:
            ValueError: the margin is too large for the crop.
        """
        box = self._window(image, detection, size) if detection.found else None
        return cut(image, box or centered_square(image, CENTER), size)

    def _window(self, image: np.ndarray, detection: Detection, size: Size) -> tuple[int, int, int, int]:
        margin, (down, across) = self.margin, sides(size)
        if margin >= min(down, across):
            raise ValueError(f"alignment box: margin {margin} must be smaller than the crop of {min(down, across)} pixels")
        height, width = image.shape[:2]
        x0, y0, x1, y1 = detection.box
        x, y = margin * (x1 - x0) / (across - margin) / 2, margin * (y1 - y0) / (down - margin) / 2
        return int(max(x0 - x, 0)), int(max(y0 - y, 0)), int(min(x1 + x, width)), int(min(y1 + y, height))
