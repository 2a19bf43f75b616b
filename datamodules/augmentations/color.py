"""Color jitter: brightness, contrast, saturation and hue, in random order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import Probability, Seeded, library

Share = Annotated[float, Field(ge=0, le=1)]


class ColorConfig(AugmentationConfig):
    name: Literal["color"] = "color"
    brightness: Share = 0.25  # maximum: factor from 1 - brightness to 1 + brightness; likewise the next two
    contrast: Share = 0.25
    saturation: Share = 0.4
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.02  # maximum shift in either direction, as a fraction of the color circle
    probability: Probability = 0.5

    def build(self) -> Seeded:
        jitter = library().ColorJitter(self.brightness, self.contrast, self.saturation, self.hue, p=self.probability)
        return Seeded(jitter)
