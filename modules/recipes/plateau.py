"""Reduces the learning rate when validation stagnates: the recipe of Ito et al.'s comprehensive study of face recognition.

Nesterov's accelerated gradient with rate 0.01. Five consecutive epochs without improvement reduce the rate, ten of them or 100
epochs in total end the training, and the best epoch's weights are kept. The reduction can be read in two ways: times 0.1 (the
default here) or times 0.9 (``factor: 0.9``). Batch size, momentum and weight decay are not given in the paper.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from configs.component import Born
from modules.training.recipe import OptimizerSchedule, Recipe


class PlateauConfig(Recipe):
    """``patience`` is exact: the rate is reduced at the end of the ``patience``-th consecutive epoch without improvement.

    ``torch.optim.lr_scheduler.ReduceLROnPlateau(patience=5)`` would wait for the sixth; its relative threshold is not used
    either.

    Fields:
        factor: the rate is multiplied by it, or with ``reduction: subtract`` reduced by this share of the initial rate, not
            below 0
    """

    name: Literal["plateau"] = "plateau"
    patience: int = Field(default=5, ge=1)
    factor: float = Field(default=0.1, gt=0, lt=1)
    reduction: Annotated[Literal["multiply", "subtract"], Born("multiply")] = "multiply"
    stop_after: int | None = Field(default=10, ge=1)

    @property
    def needs_validation(self) -> bool:
        return True

    def build(self, parameters: Any, steps_per_epoch: int) -> Plateau:
        return Plateau(self, parameters)


class Plateau(OptimizerSchedule):
    """Reduces the rate after every ``patience`` consecutive epochs without improvement."""

    def __init__(self, config: PlateauConfig, parameters: Any) -> None:
        super().__init__(config.optimizer_of(parameters), stop_after=config.stop_after, min_delta=config.min_delta)
        self.config = config
        self.waited = 0  # epochs since the last improvement or reduction

    def after_epoch(self, validation_loss: float | None) -> bool:
        if validation_loss is None:
            raise ValueError(
                "recipe plateau needs a validation loss, and no image was held out; hold some out or use one_cycle"
            )
        return super().after_epoch(validation_loss)

    def schedule(self, improved: bool) -> None:
        self.waited = 0 if improved else self.waited + 1
        if self.waited == self.config.patience:
            self.waited = 0
            for group in self.optimizer.param_groups:
                if self.config.reduction == "multiply":
                    group["lr"] *= self.config.factor
                else:
                    group["lr"] = max(group["lr"] - self.config.factor * self.config.lr, 0.0)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.waited = state["waited"]
