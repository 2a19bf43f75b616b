"""Similarity transform of five landmarks to the template used by face-recognition networks.

The template is that of ArcFace (Deng et al., CVPR 2019, Section 3.1, and public code) for 112 x 112; the transform is the
least-squares one (Umeyama, IEEE TPAMI 13 (4), 1991). See ``datamodules.geometry.fiducials`` for other sizes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from configs.data_interfaces import AlignmentConfig
from datamodules.geometry.fiducials import LandmarkAlignment, places


class SimilarityConfig(AlignmentConfig):
    name: Literal["similarity"] = "similarity"
    geometry: ClassVar[str | None] = "aligned"

    def build(self) -> LandmarkAlignment:
        return LandmarkAlignment("similarity", places)
