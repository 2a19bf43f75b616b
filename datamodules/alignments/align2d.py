"""DeepFace's alignment in the plane: the similarity from fiducials to anchor points.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 2. Theirs are six points (one for the middle of the mouth), found
again on each warped image until nothing moves. Ours are five, detected once: fitted by least squares they do not move when the
same points are fitted again, so there is nothing to repeat without a second detection.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.interfaces import AlignmentConfig, Detection
from datamodules.geometry.cutting import Size, stand_in
from datamodules.geometry.fiducials import landmarks, similarity, warped
from datamodules.geometry.framing import frontal


class Align2DConfig(AlignmentConfig):
    name: Literal["align2d"] = "align2d"

    def build(self) -> Align2d:
        return Align2d()


class Align2d:
    """The anchors are those of ``datamodules.geometry.framing``; bilinear; what lies outside the image is black."""

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """uint8 (height, width, 3) as ``size`` says; where no face was found, ``cutting.stand_in``.

        Raises:
            ValueError: the face has no landmarks.
        """
        if not detection.found:
            return stand_in(image, size)
        return warped(image, similarity(landmarks(detection, "align2d"), frontal(size)), size)
