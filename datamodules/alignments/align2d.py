"""DeepFace's 2D alignment: a similarity transform from fiducial points to anchor points.

Taigman, Yang, Ranzato, Wolf: DeepFace. CVPR 2014, Section 2. The paper uses six points (one for the middle of the mouth) and
detects them again on each warped image until the transform converges. Here five points are detected once; a least-squares fit
to the same points does not change when repeated, so there is no iteration.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from configs.data_interfaces import AlignmentConfig
from datamodules.geometry.fiducials import LandmarkAlignment
from datamodules.geometry.framing import frontal


class Align2DConfig(AlignmentConfig):
    """The anchors are those of ``datamodules.geometry.framing``."""

    name: Literal["align2d"] = "align2d"
    geometry: ClassVar[str | None] = "deepface"

    def build(self) -> LandmarkAlignment:
        return LandmarkAlignment("align2d", frontal)
