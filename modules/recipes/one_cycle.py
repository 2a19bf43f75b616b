"""One-cycle schedule of the learning rate, per step, for short trainings (Smith and Topin, "Super-Convergence", 2018)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from modules.training.schedule import Scheduled


class OneCycleConfig(Scheduled):
    """The rate increases from ``lr / start_divisor`` to ``lr`` over the fraction ``rise`` of all steps, then decreases to
    ``lr / start_divisor / end_divisor``. Momentum is constant."""

    name: Literal["one_cycle"] = "one_cycle"
    epochs: int = Field(default=8, ge=1)
    select: Literal["best", "last"] = "last"
    rise: float = Field(default=0.3, gt=0, lt=1)
    shape: Literal["cos", "linear"] = "cos"
    start_divisor: float = Field(default=25.0, gt=1)
    end_divisor: float = Field(default=1e4, ge=1)

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """The peak is at step ``rise * total - 1``, the end at ``total - 1``, where ``total`` is the number of steps.

        A single step has the peak.
        """
        total = steps_per_epoch * self.epochs
        if total == 1:
            return self.lr
        low = self.lr / self.start_divisor
        peak = max(self.rise * total - 1, 0.0)
        if step < peak:
            return self._between(low, self.lr, step / peak)
        fall = total - 1 - peak
        return self._between(self.lr, low / self.end_divisor, min((step - peak) / fall, 1.0) if fall > 0 else 1.0)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.shape == "cos":
            part = (1 - math.cos(math.pi * part)) / 2
        return start + (end - start) * part
