"""The detected box with a margin, resized without regard to its aspect, as facenet-pytorch's ``extract_face`` does it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from configs.interfaces import AlignmentConfig, Detection
from datamodules.geometry.cutting import CENTRE, Size, centred_square, cut, sides


class BoxConfig(AlignmentConfig):
    name: Literal["box"] = "box"
    geometry: ClassVar[str | None] = "box"
    margin: Annotated[int, Field(ge=0)] = 20  # pixels of the output crop, both sides together

    def build(self) -> Box:
        return Box(self.margin)


class Box:
    """Needs no landmarks."""

    def __init__(self, margin: int = 20) -> None:
        self.margin = margin

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """uint8 (height, width, 3) as ``size`` says.

        The box is widened so that ``margin`` pixels of the output surround it (half on each side), is clipped at the image's
        edges, and is resized. Where no face was found, the square in the image's centre with half its shorter side is taken.

        Raises:
            ValueError: the margin leaves no room for a face.
        """
        box = self._window(image, detection, size) if detection.found else None
        return cut(image, box or centred_square(image, CENTRE), size)

    def _window(self, image: np.ndarray, detection: Detection, size: Size) -> tuple[int, int, int, int]:
        margin, (down, across) = self.margin, sides(size)
        if margin >= min(down, across):
            raise ValueError(f"alignment box: margin {margin} must be smaller than the crop of {min(down, across)} pixels")
        height, width = image.shape[:2]
        x0, y0, x1, y1 = detection.box
        x, y = margin * (x1 - x0) / (across - margin) / 2, margin * (y1 - y0) / (down - margin) / 2
        return int(max(x0 - x, 0)), int(max(y0 - y, 0)), int(min(x1 + x, width)), int(min(y1 + y, height))
