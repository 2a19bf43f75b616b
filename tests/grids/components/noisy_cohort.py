"""Drawn faces in two cohorts that look alike, subjects with even and with odd numbers; noise is added to the images of some."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Manifest
from datamodules.columns import Column
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.synthetic_faces.drawn_faces import DrawnFaces, Sample

COHORTS = ("even", "odd")


class Config(Drawn):
    """Fields:
    noisy: the cohorts whose images get noise
    noise: its standard deviation in gray levels
    """

    name: Literal["components.noisy_cohort"] = "components.noisy_cohort"  # type: ignore[assignment]
    noisy: tuple[Literal["even", "odd"], ...] = ()
    noise: float = Field(default=90.0, gt=0)

    def sigma(self, shown: Sample) -> float:
        return self.noise if COHORTS[shown.number % 2] in self.noisy else 0.0

    def _digest(self, shown: Sample) -> str:
        return hashlib.sha256(f"{super()._digest(shown)} {self.sigma(shown):g}".encode()).hexdigest()

    def columns(self, manifest: Manifest) -> dict[str, Column]:
        known = {each.key: COHORTS[each.number % 2] for each in self.samples()}
        return {"cohort": Column.categorical([known[key] for key in manifest.keys], COHORTS)}

    def build(self, manifest: Manifest) -> NoisyFaces:
        return NoisyFaces(self, manifest)


class NoisyFaces(DrawnFaces):
    """The noise of an image is always the same."""

    def __init__(self, config: Config, manifest: Manifest) -> None:
        super().__init__(config, manifest)
        self.sigma = config.sigma

    def image(self, index: int) -> np.ndarray:
        image, shown = super().image(index), self._shown[index]
        noise = np.random.default_rng([shown.number, shown.shot]).normal(0, self.sigma(shown), image.shape)
        found: np.ndarray = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        return found
