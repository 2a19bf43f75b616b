"""The region of the face in the crops of a dataset.

Three sources, the best available first: the dataset's own masks (drawn faces), an ellipse around the detected landmarks, or one
fixed ellipse for datasets whose images are already aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from datamodules.detection import Detection, Detections
from datamodules.geometry.cutting import Size, sides
from grid.spec.training import Training
from grid.stages.context import Context, detections_of
from modules.latent.image_regions import landmark_ellipse

Source = Literal["mask", "landmarks", "ellipse"]


@runtime_checkable
class Masked(Protocol):
    """A dataset that knows where the face is."""

    def face(self, index: int) -> np.ndarray:
        """bool (height, width) of image ``index``."""


def face_regions(
    context: Context, training: Training, keys: Sequence[str], source: Source | None, ellipse: tuple[float, float, float, float]
) -> tuple[np.ndarray, Source]:
    """(bool (N, height, width): the face in the crops of these images, the source that was used).

    Args:
        source: None: the best available one
        ellipse: center x and y, half width and half height, as fractions of the crop's sides

    Raises:
        ValueError: the source is not available for this dataset or detector.
    """
    manifest = context.resolver.manifest(training.data)
    place = {key: row for row, key in enumerate(manifest.keys)}
    dataset = training.data.build(manifest.subset([place[key] for key in keys]))
    detections = detections_of(context, training.data, dataset, training.detector)
    used = source or _best(dataset, detections)
    size = training.input.pixels
    height, width = sides(size)
    if used == "ellipse":
        return np.repeat(_fixed(ellipse, height, width)[None], len(keys), axis=0), used
    if used == "mask" and not isinstance(dataset, Masked):
        raise ValueError(f"face: mask, and dataset {training.data.name} has no masks of faces; use landmarks or ellipse")
    if used == "landmarks" and np.isnan(detections.landmarks).all():
        raise ValueError(
            f"face: landmarks, and detector {training.detector.name} finds none; use detector mtcnn, or face: ellipse"
        )
    detector = training.detector.build()
    found = np.zeros((len(keys), height, width), bool)
    for row, key in enumerate(keys):
        found[row] = cropped(_in_image(dataset, detections, row, used), detector, detections.row(key), size)
    return found, used


def cropped(region: np.ndarray, detector: Any, row: Detection, size: Size) -> np.ndarray:
    """A region, bool (height, width), cropped exactly like its image; a pixel counts if at least half of it lies inside."""
    canvas = np.repeat(np.where(region, np.uint8(255), np.uint8(0))[:, :, None], 3, axis=2)
    return detector.crop(canvas, row, size)[:, :, 0] >= 128


def _best(dataset: Any, detections: Detections) -> Source:
    if isinstance(dataset, Masked):
        return "mask"
    return "ellipse" if np.isnan(detections.landmarks).all() else "landmarks"


def _in_image(dataset: Any, detections: Detections, row: int, used: Source) -> np.ndarray:
    """The face in the full image; empty if no landmarks were found in it."""
    if used == "mask":
        return dataset.face(row)
    height, width = dataset.manifest.heights[row], dataset.manifest.widths[row]
    points = detections.landmarks[row].astype(np.float64)
    return np.zeros((height, width), bool) if np.isnan(points).any() else landmark_ellipse(points, height, width)


def _fixed(ellipse: tuple[float, float, float, float], height: int, width: int) -> np.ndarray:
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return ((x - ellipse[0]) / ellipse[2]) ** 2 + ((y - ellipse[1]) / ellipse[3]) ** 2 <= 1
