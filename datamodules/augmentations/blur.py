"""Gaussian blur."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import ORDERED, Probability, Seeded, library

Sigma = Annotated[float, Field(gt=0)]


class BlurConfig(AugmentationConfig):
    name: Literal["blur"] = "blur"
    sigma: Annotated[tuple[Sigma, Sigma], ORDERED] = (0.6, 1.6)  # pixels, drawn uniformly
    probability: Probability = 0.5

    def build(self) -> Seeded:
        return Seeded(library().GaussianBlur(blur_limit=0, sigma_limit=self.sigma, p=self.probability))
