"""Step decay: multiplies the rate by a factor at given epochs; Deng et al. (ArcFace, 2019) divide by ten, as do most papers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from modules.training.schedule import Warmed


class MultiStepConfig(Warmed):
    """``milestones`` are epochs from the start of training, 1 being the end of the first; fractions are allowed."""

    name: Literal["multi_step"] = "multi_step"
    select: Literal["best", "last"] = "last"
    milestones: tuple[Annotated[float, Field(gt=0)], ...] = ()
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.milestones:
            raise ValueError("recipe.milestones is empty; name the epochs at which the rate falls, such as [10, 16]")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"recipe.milestones are {list(self.milestones)}; write them in ascending order, each once")
        if self.milestones[-1] >= self.epochs:
            raise ValueError(f"recipe.milestones: {self.milestones[-1]:g} is not within the {self.epochs} epochs of training")
        if self.milestones[0] < self.warmup_epochs:
            raise ValueError(
                f"recipe.milestones: {self.milestones[0]:g} lies within the warm-up of {self.warmup_epochs:g} epochs"
            )
        return self

    def factor(self, part: float) -> float:
        return 1.0

    def rate(self, step: int, steps_per_epoch: int) -> float:
        passed = sum(step / steps_per_epoch >= milestone - 1e-9 for milestone in self.milestones)
        return super().rate(step, steps_per_epoch) * self.gamma**passed
