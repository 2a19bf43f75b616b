"""P identities with K images each, for losses that compare images of a batch (Hermans et al., 2017; FaceNet: K about 40)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from configs.data_interfaces import BatchesConfig
from datamodules.samplers import PKSampler


class PKConfig(BatchesConfig):
    """``images`` is K; P follows from the batch size."""

    name: Literal["pk"] = "pk"
    images: Annotated[int, Field(ge=2)] = 4
    pairs: ClassVar[bool] = True

    def check(self, batch_size: int, subjects: int | None = None) -> None:
        if batch_size % self.images or batch_size < 2 * self.images:
            raise ValueError(
                f"batches pk: {batch_size} images a batch cannot be two identities or more with {self.images} images each; "
                f"set recipe.batch_size to a multiple of {self.images}, or batches.images"
            )

        if subjects is not None and subjects < batch_size // self.images:
            raise ValueError(
                f"batches pk: {batch_size} images with {self.images} of each subject need {batch_size // self.images} "
                f"subjects, and {subjects} are trained on; lower recipe.batch_size or raise batches.images"
            )

    def at_most(self, batch_size: int, subjects: int) -> int:
        return min(batch_size, subjects * self.images)

    def build(self, rows: Any, labels: Any, batch_size: int, seed: int) -> PKSampler:
        return PKSampler(rows, labels, batch_size // self.images, self.images, seed)
