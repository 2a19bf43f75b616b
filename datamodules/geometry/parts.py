"""Expected positions of the facial parts in a crop, by type of cropping.

Four types are supported:

* ``aligned``: five landmarks were warped to the template of 112 x 112 pixels (ArcFace), or to its middle 112 x 96 (SphereFace).
  Distances scale with the crop's height, and the template is centered.
* ``deepface``: the landmarks are where the alignments ``align2d`` and ``frontal3d`` put those of a frontal face, see
  ``datamodules.geometry.framing``.
* ``box``: a detector's box with a margin of an eighth of the crop, resized without keeping the aspect ratio: mtcnn with its
  margin of 20 at 160 pixels. Points are fractions of width and height.
* ``centered``: the whole image with the face in the middle and the eyes a sixth of the width apart: detector none on LFW's
  deep-funneled images. Not for drawn faces, which each shot moves. Points are fractions of width and height.

The points of ``box`` and ``centered`` are means of MTCNN's landmarks in 60 images of LFW, made symmetric.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Geometry = Literal["aligned", "deepface", "box", "centered"]
Part = Literal["left_eye", "right_eye", "eyes", "nose", "mouth"]
BOX = ((0.302, 0.404), (0.698, 0.404), (0.5, 0.576), (0.332, 0.729), (0.668, 0.729))
CENTERED = ((0.416, 0.453), (0.584, 0.453), (0.5, 0.553), (0.426, 0.639), (0.574, 0.639))


def points_of(geometry: Geometry, height: int, width: int) -> np.ndarray:
    """Eyes, nose and corners of the mouth in a crop of that size: (5, 2), x and y in pixels; left means left in the image."""
    from datamodules.geometry.fiducials import PLACES  # here, so that a plan imports no OpenCV
    from datamodules.geometry.framing import frontal

    if geometry == "aligned":
        return (PLACES - (56, 56)) * height / 112 + (width / 2, height / 2)
    if geometry == "deepface":
        return frontal((height, width))
    return np.array(BOX if geometry == "box" else CENTERED) * (width, height)


def box_of(part: Part, points: np.ndarray) -> tuple[float, float, float, float]:
    """The box around a part: x0, y0, x1, y1 in pixels.

    Widths are relative to the distance between the eyes (E), heights to that from eyes to mouth (M). An eye with its lids is
    0.8 E x 0.5 M; the nose is 0.8 E x 0.65 M and ends below its tip; the mouth is 0.35 E wider than the distance of its
    corners, and 0.5 M high.

    Args:
        points: as returned by ``points_of``
    """
    eyes, nose, mouth = points[:2], points[2], points[3:]
    across = float(eyes[1, 0] - eyes[0, 0])
    down = float(mouth[:, 1].mean() - eyes[:, 1].mean())
    if part == "eyes":
        left, right = (box_of(side, points) for side in ("left_eye", "right_eye"))
        return left[0], min(left[1], right[1]), right[2], max(left[3], right[3])
    if part == "nose":
        x, y, half_width, half_height = nose[0], nose[1] - 0.1 * down, 0.4 * across, 0.325 * down
    elif part == "mouth":
        x, y = mouth.mean(axis=0)
        half_width, half_height = (mouth[1, 0] - mouth[0, 0]) / 2 + 0.175 * across, 0.25 * down
    else:
        x, y = eyes[0 if part == "left_eye" else 1]
        half_width, half_height = 0.4 * across, 0.25 * down
    return float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height)
