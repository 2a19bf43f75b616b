"""DeepFace's 3D alignment (frontalization).

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 2.1. An affine camera is fitted to the landmarks, and each triangle
of a mean face is warped from its place in the image to its place in the frontal view. The paper uses 67 landmarks; here there
are five, and the relief between them is that of ``datamodules.geometry.face_model``. The camera's residuals at the landmarks
are kept in the frontal view; the paper does this by adding them to the target. As in the paper, invisible parts are blended
with their mirror image.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple

import cv2
import numpy as np

from configs.data_interfaces import AlignmentConfig, Detection
from datamodules.geometry import camera, face_model, framing
from datamodules.geometry.cutting import Size, sides, stand_in
from datamodules.geometry.fiducials import landmarks, similarity

CLEAR = 0.35  # area in the image per area of the frontal view (1 if frontal) above which the mirror image is not used
HIDDEN = 6.0  # millimetres by which something must be in front of a point to hide it
SOFT = 9  # width of the blend with the mirror image, in pixels per 152 of the crop's height


class Frontal3DConfig(AlignmentConfig):
    name: Literal["frontal3d"] = "frontal3d"
    geometry: ClassVar[str | None] = "deepface"
    mirror: bool = True  # fill invisible parts from the other half of the face where it is visible

    def build(self) -> Frontal3d:
        return Frontal3d(self.mirror)


class Surface(NamedTuple):
    """The mean face at every pixel of a frontal crop."""

    points: np.ndarray  # float64 (height, width, 4): x, y, z in millimetres, and 1
    slopes: np.ndarray  # float64 (height, width, 2): slope of z in x and y


@lru_cache(maxsize=4)
def surface(height: int, width: int) -> Surface:
    """The surface for a crop of that size."""
    scale, (left, top) = framing.scale((height, width)), framing.origin((height, width))
    x, y = np.meshgrid((np.arange(width) - left) / scale, (np.arange(height) - top) / scale)
    z, across, down = face_model.heights(x, y)
    return Surface(np.stack([x, y, z, np.ones_like(z)], axis=2), np.stack([across, down], axis=2))


class Frontal3d:
    """Bilinear, black outside the image."""

    def __init__(self, mirror: bool = True) -> None:
        self.mirror = mirror

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """The frontalized face, uint8 (height, width, 3) as in ``size``; ``cutting.stand_in`` if no face was found.

        Raises:
            ValueError: the face has no landmarks.
        """
        if not detection.found:
            return stand_in(image, size)
        height, width = sides(size)
        found = landmarks(detection, "frontal3d")
        model = face_model.fiducials()
        back = similarity(model[:, :2], found)  # from millimetres of an upright face to the image
        upright = (found - back[:, 2]) @ np.linalg.inv(back[:, :2]).T
        seen = camera.fitted(upright, model)
        shape = surface(height, width)
        whole = back[:, :2] @ seen + np.array([[0, 0, 0, 1]]) * back[:, 2:]  # from the mean face to the image
        source = np.einsum("hwk,ck->hwc", shape.points, whole).astype(np.float32)
        crop: np.ndarray = cv2.remap(image, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderValue=0)
        return blended(crop, visible(shape, seen)) if self.mirror else crop


def visible(shape: Surface, seen: np.ndarray) -> np.ndarray:
    """Visibility of each pixel of the frontal view in the image: float32 (height, width), 0 to 1."""
    towards = np.cross(seen[0, :3], seen[1, :3])  # towards the viewer; length: image area of a frontal mm^2
    clear = np.clip((towards[2] - np.einsum("hwk,k->hw", shape.slopes, towards[:2])) / CLEAR, 0, 1)
    flat = np.einsum("hwk,ck->hwc", shape.points, seen)
    depth = np.einsum("hwk,k->hw", shape.points[..., :3], towards / np.linalg.norm(towards))
    cell = 2 * (shape.points[0, 1, 0] - shape.points[0, 0, 0])
    place = np.floor((flat - flat.min(axis=(0, 1))) / cell).astype(np.int64)
    place = place[..., 1] * (place[..., 0].max() + 1) + place[..., 0]
    front = np.full(int(place.max()) + 1, -np.inf)  # the nearest depth in each cell of the image
    np.maximum.at(front, place.ravel(), depth.ravel())
    steep = cell * np.hypot(*np.moveaxis(shape.slopes, 2, 0))  # possible depth difference within a cell
    clear[front[place] - depth > HIDDEN + steep] = 0
    return clear.astype(np.float32)


def blended(crop: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """The crop with invisible parts replaced by their mirror image where that is visible, with a soft border."""
    side = max(1, round(SOFT * len(crop) / 152)) | 1
    sure = cv2.erode(clear, np.ones((side, side), np.uint8))
    weight = cv2.blur(sure, (side, side), borderType=cv2.BORDER_REPLICATE)
    other = (1 - weight) * weight[:, ::-1]
    share = (other / np.maximum(weight + other, 1e-3))[..., None]
    return np.rint(crop * (1 - share) + crop[:, ::-1] * share).astype(np.uint8)
