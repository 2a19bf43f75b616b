"""Erases facial parts: fills boxes around an eye, the nose or the mouth, so that the network does not rely on a single part.

Random erasing (Zhong et al., AAAI 2020) at the parts' positions. Nothing is detected: the positions follow from how the face
was cropped, see ``datamodules.geometry.parts``. A pipeline therefore refuses it after steps that move the face (rotate, zoom,
basic); a flip before it does no harm.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Augmentation, AugmentationConfig, DetectorConfig
from datamodules.augmentations._base import Probability
from datamodules.augmentations._fill import Fill, fill
from datamodules.geometry.parts import Geometry, Part, box_of, points_of


class ErasePartsConfig(AugmentationConfig):
    name: Literal["erase_parts"] = "erase_parts"
    geometry: Geometry = "aligned"  # how the crops were made
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = ("left_eye", "right_eye", "nose", "mouth")
    most: Annotated[int, Field(ge=1)] = 1  # maximum number of hidden parts; at least one is hidden
    jitter: Annotated[float, Field(ge=0, lt=0.5)] = 0.15  # maximum shift of each edge of a box, as a fraction of its side
    fill: Fill = "noise"
    probability: Probability = 0.5

    @property
    def needs_places(self) -> bool:
        return True

    def check(self, detector: DetectorConfig) -> None:
        alignment: Any = getattr(detector, "alignment", None)
        geometry = getattr(alignment, "geometry", None)
        if geometry not in (None, self.geometry):
            raise ValueError(
                f"augmentation erase_parts: its geometry is {self.geometry!r}, and detector {detector.name} with alignment "
                f"{alignment.name} cuts faces as {geometry!r}, so other places would be hidden; write geometry: {geometry}"
            )

    def build(self) -> Augmentation:
        return self._erased

    def _erased(self, image: np.ndarray, seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        if random.random() >= self.probability:
            return image
        points = points_of(self.geometry, *image.shape[:2])
        count = int(random.integers(1, min(self.most, len(self.parts)) + 1))
        changed = image.copy()
        for place in random.permutation(len(self.parts))[:count].tolist():
            x0, y0, x1, y1 = box_of(self.parts[place], points)
            moves = random.uniform(-self.jitter, self.jitter, 4)
            edges = np.array([x0, y0, x1, y1]) + moves * np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
            left, top, right, bottom = np.rint(edges).astype(int).tolist()
            fill(changed, (left, top, max(right, left + 1), max(bottom, top + 1)), self.fill, random)
        return changed
