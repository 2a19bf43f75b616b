"""Learning rate schedules that depend only on the step, so they can be resumed."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from modules.training.recipe import OptimizerSchedule, Recipe


class Scheduled(Recipe):
    """Base class of recipes whose rate depends only on the step."""

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a step; steps count from 0."""
        raise NotImplementedError

    def build(self, parameters: Any, steps_per_epoch: int) -> Stepped:
        assert steps_per_epoch >= 1, steps_per_epoch
        return Stepped(self, parameters, steps_per_epoch)


class Warmed(Scheduled):
    """Base class of recipes with a linear warm-up.

    Over the first ``warmup_epochs`` the rate increases in equal steps from ``lr`` / (number of warm-up steps) to ``lr`` (Goyal
    et al., "Accurate, Large Minibatch SGD", 2017, Section 2.2). The schedule then spans the rest of the training.
    """

    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"recipe.warmup_epochs is {self.warmup_epochs:g}, which leaves nothing of {self.epochs} epochs")
        return self

    def factor(self, part: float) -> float:
        """Factor on ``lr`` after fraction ``part`` (0 to 1) of the training that follows the warm-up."""
        raise NotImplementedError

    def rate(self, step: int, steps_per_epoch: int) -> float:
        warm, total = round(self.warmup_epochs * steps_per_epoch), steps_per_epoch * self.epochs
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * self.factor(min((step - warm) / max(total - warm, 1), 1.0))


class Stepped(OptimizerSchedule):
    """Sets the rate to ``config.rate(step, steps_per_epoch)`` before every optimizer step."""

    def __init__(self, config: Scheduled, parameters: Any, steps_per_epoch: int) -> None:
        super().__init__(config.optimizer_of(parameters), stop_after=config.stop_after, min_delta=config.min_delta)
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.steps = 0
        self._set()

    def _set(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.steps, self.steps_per_epoch)

    def after_step(self) -> None:
        self.steps += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.steps = state["steps"]
