"""DeepFace's 2D alignment: a similarity transform from fiducial points to anchor points.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 2. The paper uses six points (one for the middle of the mouth) and
detects them again on each warped image until the transform converges. Here five points are detected once; a least-squares fit
to the same points does not change when repeated, so there is no iteration.
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
    """Uses the anchors of ``datamodules.geometry.framing``; bilinear, black outside the image."""

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """The aligned face, uint8 (height, width, 3) as in ``size``; ``cutting.stand_in`` if no face was found.

        Raises:
            ValueError: the face has no landmarks.
        """
        if not detection.found:
            return stand_in(image, size)
        return warped(image, similarity(landmarks(detection, "align2d"), frontal(size)), size)
