"""One rise and one fall of the learning rate by steps, for short trainings (Smith and Topin, "Super-Convergence", 2018)."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from modules.recipe import Moves, Recipe


class Config(Recipe):
    """The rate climbs from ``lr / start_divisor`` to ``lr`` over ``rise`` of all steps, then falls to
    ``lr / start_divisor / end_divisor``. Momentum does not move."""

    name: Literal["one_cycle"] = "one_cycle"
    epochs: int = Field(default=8, ge=1)
    select: Literal["best", "last"] = "last"
    rise: float = Field(default=0.3, gt=0, lt=1)
    shape: Literal["cos", "linear"] = "cos"
    start_divisor: float = Field(default=25.0, gt=1)
    end_divisor: float = Field(default=1e4, ge=1)

    def build(self, parameters: Any, steps_per_epoch: int) -> OneCycle:
        assert steps_per_epoch >= 1, steps_per_epoch
        return OneCycle(self, parameters, steps_per_epoch * self.epochs)


class OneCycle(Moves):
    """The cycle spans exactly ``total`` steps; ``rate(step)`` is a pure function of the step, from 0."""

    def __init__(self, config: Config, parameters: Any, total: int) -> None:
        super().__init__(config.optimizer_of(parameters), stop_after=config.stop_after, min_delta=config.min_delta)
        self.config = config
        self.total = total
        self.steps = 0
        self._set()

    def rate(self, step: int) -> float:
        """Learning rate of a step; the peak is at step ``rise * total - 1``, the end at ``total - 1``."""
        low = self.config.lr / self.config.start_divisor
        peak = max(self.config.rise * self.total - 1, 0.0)
        if step < peak:
            return self._between(low, self.config.lr, step / peak)
        fall = self.total - 1 - peak
        return self._between(self.config.lr, low / self.config.end_divisor, min((step - peak) / fall, 1.0) if fall > 0 else 1.0)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.config.shape == "cos":
            part = (1 - math.cos(math.pi * part)) / 2
        return start + (end - start) * part

    def _set(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.steps)

    def after_step(self) -> None:
        self.steps += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.steps = state["steps"]
