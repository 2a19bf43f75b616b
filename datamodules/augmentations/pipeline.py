"""A sequence of augmentations: ``{name: pipeline, steps: [flip, {name: jpeg, quality: [30, 90]}, blur]}``.

The last step may be one of a whole batch, such as ``batch``: the others run in the loader, and it on the training's device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from configs.data_interfaces import Augmentation, AugmentationConfig, BatchAugmentation, DetectorConfig
from configs.lookup import component
from datamodules.augmentations._base import step_seed

if TYPE_CHECKING:
    from torch import Tensor


class PipelineConfig(AugmentationConfig):
    name: Literal["pipeline"] = "pipeline"
    # Applied in this order, each with its own probability.
    steps: tuple[component("augmentation"), ...] = Field(min_length=1)  # type: ignore[valid-type]

    @field_validator("steps")
    @classmethod
    def _batch_is_last(cls, steps: tuple[AugmentationConfig, ...]) -> tuple[AugmentationConfig, ...]:
        for place, step in enumerate(steps[:-1], start=1):
            if step.batched:
                raise ValueError(
                    f"{step.name} is step {place} of {len(steps)}, and it is computed for a whole batch, after what the loader "
                    "does to each image; put it last"
                )
        return steps

    @field_validator("steps")
    @classmethod
    def _places_before_moves(cls, steps: tuple[AugmentationConfig, ...]) -> tuple[AugmentationConfig, ...]:
        moved = ""
        for step in steps:
            if moved and step.needs_places:
                raise ValueError(
                    f"{step.name} changes the parts of the face where the detector puts them, and {moved} before it moves the "
                    f"face; put {step.name} first"
                )
            moved = step.name if step.moves else moved
        return steps

    @property
    def batched(self) -> bool:
        return self.steps[-1].batched

    @property
    def moves(self) -> bool:
        return any(step.moves for step in self.steps)

    @property
    def needs_places(self) -> bool:
        return any(step.needs_places for step in self.steps)

    def check(self, detector: DetectorConfig) -> None:
        for step in self.steps:
            step.check(detector)

    def build(self) -> Pipeline:
        steps = [(step.name, step.build()) for step in self.steps]
        last = steps[-1][1]
        return BatchPipeline(steps, last) if isinstance(last, BatchAugmentation) else Pipeline(steps)


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


class BatchPipeline(Pipeline):
    """A pipeline whose last step changes a whole batch; a ``BatchAugmentation`` itself."""

    def __init__(self, steps: list[tuple[str, Augmentation]], last: BatchAugmentation) -> None:
        super().__init__(steps)
        self.last = last

    def prepare(self, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The image after all steps but the last one, and the parameters of the last one."""
        *before, _ = self.steps
        for place, (_, step) in enumerate(before):
            image = step(image, step_seed(seed, place))
        return self.last.prepare(image, step_seed(seed, len(before)))

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """The last step, uint8 (B, height, width, 3) to the same shape."""
        return self.last.apply(images, parameters)
