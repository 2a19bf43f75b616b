"""Coarse dropout: removes small rectangles; one of Debreczeni et al.'s two final augmentations; they state no sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import ORDERED, Probability, Seeded, library
from datamodules.augmentations._fill import GRAY

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class CoarseDropoutConfig(AugmentationConfig):
    name: Literal["coarse_dropout"] = "coarse_dropout"
    holes: Annotated[tuple[Count, Count], ORDERED] = (2, 8)  # minimum and maximum number
    side: Annotated[tuple[Share, Share], ORDERED] = (0.06, 0.14)  # of a hole, as a fraction of the image's height and width
    fill: Literal["black", "gray", "noise"] = "black"
    probability: Probability = 0.5

    def build(self) -> Seeded:
        """Holes lie completely inside the image and may overlap; their height and width are drawn independently."""
        fill = {"black": 0, "gray": GRAY, "noise": "random"}[self.fill]
        return Seeded(library().CoarseDropout(self.holes, self.side, self.side, fill=fill, p=self.probability))
