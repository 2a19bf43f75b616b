"""JPEG compression at a fixed quality, as in Table 4 (left) of FaceNet (Schroff et al., CVPR 2015)."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from pydantic import Field

from configs.transforms import Transform, TransformConfig


class JPEGTransformConfig(TransformConfig):
    """``quality`` on libjpeg's scale; color has half the resolution (4:2:0), as is usual."""

    name: Literal["jpeg"] = "jpeg"
    quality: int = Field(ge=1, le=100)

    def build(self) -> Transform:
        return self._compressed

    def _compressed(self, image: np.ndarray) -> np.ndarray:
        from PIL import Image

        data = io.BytesIO()
        Image.fromarray(image).save(data, "JPEG", quality=self.quality, subsampling="4:2:0")
        with Image.open(data) as coded:
            return np.array(coded)
