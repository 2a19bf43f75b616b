"""A sequence of augmentations: ``{name: pipeline, steps: [flip, {name: jpeg, quality: [30, 90]}, blur]}``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from configs.data_interfaces import Augmentation, AugmentationConfig, DetectorConfig
from configs.lookup import resolve
from datamodules.augmentations._base import step_seed

Step = Annotated[SerializeAsAny[AugmentationConfig], BeforeValidator(partial(resolve, "augmentation"))]


class PipelineConfig(AugmentationConfig):
    name: Literal["pipeline"] = "pipeline"
    steps: tuple[Step, ...] = Field(min_length=1)  # applied in this order, each with its own probability

    def check(self, detector: DetectorConfig) -> None:
        for step in self.steps:
            step.check(detector)

    def build(self) -> Pipeline:
        return Pipeline([(step.name, step.build()) for step in self.steps])


class Pipeline:
    """A step's seed is derived from the image's seed and the step's position, so that steps are independent of each other."""

    def __init__(self, steps: list[tuple[str, Augmentation]]) -> None:
        self.steps = steps

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (height, width, 3) to the same shape; a pure function of image and seed."""
        for _, image in self.after_each(image, seed):  # noqa: B007, B020
            pass
        return image

    def after_each(self, image: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
        """The name of each step, and the image after it."""
        for place, (name, step) in enumerate(self.steps):
            image = step(image, step_seed(seed, place))
            yield name, image
