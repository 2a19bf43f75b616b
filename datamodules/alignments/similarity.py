"""Similarity transform of five landmarks to the template used by face-recognition networks.

The template is that of ArcFace (Deng et al., CVPR 2019, Section 3.1, and public code) for 112 x 112; the transform is the
least-squares one (Umeyama, IEEE TPAMI 13 (4), 1991). See ``datamodules.geometry.fiducials`` for other sizes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from configs.interfaces import AlignmentConfig, Detection
from datamodules.geometry.cutting import Size, stand_in
from datamodules.geometry.fiducials import landmarks, places, similarity, warped


class SimilarityConfig(AlignmentConfig):
    name: Literal["similarity"] = "similarity"
    geometry: ClassVar[str | None] = "aligned"

    def build(self) -> Similarity:
        return Similarity()


class Similarity:
    """Bilinear, black outside the image."""

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """The aligned face, uint8 (height, width, 3) as in ``size``; ``cutting.stand_in`` if no face was found.

        Raises:
            ValueError: the face has no landmarks.
        """
        if not detection.found:
            return stand_in(image, size)
        return warped(image, similarity(landmarks(detection, "similarity"), places(size)), size)
