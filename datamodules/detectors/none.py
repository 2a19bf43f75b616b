"""No detection: the image or its center, the baseline of detection studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Detection as AnyDetection
from configs.data_interfaces import DetectorConfig, Manifest
from datamodules.detection import Detection, Detections
from datamodules.geometry.cutting import Size, cut
from datamodules.images import check_images


class NoDetectorConfig(DetectorConfig):
    name: Literal["none"] = "none"
    # Fraction of width and height to keep, around the center; 1 keeps the whole image, resized without keeping the aspect
    # ratio.
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    trivial: ClassVar[bool] = True

    def detection(self) -> dict[str, Any]:
        return {"name": self.name, "fraction": self.fraction}

    def build(self, device: str = "cpu") -> Center:
        return Center(self.fraction)


class Center:
    """Crops the center of an image, with ``fraction`` of its width and height."""

    def __init__(self, fraction: float = 1.0) -> None:
        self.fraction = fraction

    def detect(self, images: Sequence[np.ndarray]) -> list[AnyDetection]:
        """Uses only the images' shapes.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes

        Raises:
            ValueError: something else was given.
        """
        check_images(images)
        return [self.of_size(image.shape[1], image.shape[0]) for image in images]

    def of_size(self, width: int, height: int) -> Detection:
        """The detection for any image of that size in pixels."""
        x, y = (1 - self.fraction) / 2 * width, (1 - self.fraction) / 2 * height
        return Detection(found=True, box=(x, y, width - x, height - y), score=1.0)

    def of_manifest(self, manifest: Manifest) -> Detections:
        """The detections of all images of a dataset, without reading them."""
        sizes = zip(manifest.widths, manifest.heights, strict=True)
        return Detections.of(manifest.keys, [self.of_size(width, height) for width, height in sizes])

    def crop(self, image: np.ndarray, detection: AnyDetection, size: Size) -> np.ndarray:
        """uint8 (height, width, 3) as in ``size``; the box is rounded to whole pixels and has at least one."""
        height, width = image.shape[:2]
        x0, y0, x1, y1 = (round(value) for value in detection.box)
        x0, y0 = min(x0, width - 1), min(y0, height - 1)
        return cut(image, (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)), size)
