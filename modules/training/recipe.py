"""Training recipes: the fields shared by all recipes, and the optimizer with its schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from configs.component import Born
from configs.network_interfaces import RecipeConfig
from modules.training.freezing import DECODER

OPTIMIZER_COPIES = {"adagrad": 1, "adamw": 2, "nag": 1, "sgd": 1}  # tensors of state per parameter


class Recipe(RecipeConfig):
    """The fields shared by all recipes.

    ``nag`` is SGD with Nesterov momentum. ``weight_decay`` is 0 because the paper of the default recipe specifies none.
    ``decay_norm_and_bias: false`` excludes parameters with fewer than two dimensions (biases and normalizations) from decay.
    An epoch counts as an improvement if its validation loss is lower than the best so far by more than ``min_delta``.
    """

    optimizer: Literal["nag", "sgd", "adamw", "adagrad"] = "nag"  # adagrad: Duchi et al., 2011; FaceNet's
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)  # of nag and sgd
    betas: tuple[float, float] = (0.9, 0.999)  # of adamw
    epsilon: float = Field(default=1e-8, gt=0)  # of adamw and adagrad
    weight_decay: float = Field(default=0.0, ge=0)
    decay_norm_and_bias: bool = True
    clip: float | None = Field(default=None, gt=0)  # maximum norm of the total gradient; None: no clipping
    epochs: int = Field(default=100, ge=1)  # at most
    batch_size: int = Field(default=32, ge=1)  # images per step over all devices
    stop_after: int | None = Field(default=None, ge=1)  # epochs without improvement before training stops; None: never
    min_delta: float = Field(default=0.0, ge=0)
    select: Literal["best", "last"] = "best"  # the epoch whose weights are kept
    channels_last: Annotated[bool, Born(False)] = False  # memory format; faster for depthwise convolutions, changes last digits
    trainable: Annotated[int | str, Born("all")] = "all"  # of the backbone, see ``freezing``; or "decoder" only
    accumulate: Annotated[int, Born(1), Field(ge=1)] = 1  # micro-batches per batch, to save memory
    ema: Annotated[float | None, Born(None), Field(gt=0, lt=1)] = None  # decay per step; the averaged weights are kept

    @property
    def decodes_only(self) -> bool:
        """Whether only the decoder is trained, without a recognition loss."""
        return self.trainable == DECODER

    @property
    def part_size(self) -> int:
        return self.batch_size // self.accumulate

    @property
    def learning_part(self) -> int | str:
        return self.trainable

    @property
    def optimizer_copies(self) -> int:
        return OPTIMIZER_COPIES[self.optimizer]

    @property
    def needs_validation(self) -> bool:
        return self.select == "best" or self.stop_after is not None

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.optimizer == "nag" and self.momentum == 0:
            raise ValueError("recipe.momentum is 0, and optimizer nag needs momentum; use optimizer: sgd")
        if isinstance(self.trainable, int) and self.trainable < 1:
            raise ValueError(
                f"recipe.trainable is {self.trainable}; write none, all, decoder, a number of last convolutions, or a stage"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"recipe.batch_size {self.batch_size} cannot be cut into {self.accumulate} equal parts (accumulate)"
            )
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"recipe.betas is {self.betas}; each must be at least 0 and below 1")
        return self

    def optimizer_of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Builds the optimizer for the trainable ones among ``parameters``, without duplicates."""
        trainable = list(dict.fromkeys(parameter for parameter in parameters if parameter.requires_grad))
        groups: list[dict[str, Any]] = [{"params": trainable}]
        if not self.decay_norm_and_bias:
            spared = [parameter for parameter in trainable if parameter.ndim <= 1]
            rest = [parameter for parameter in trainable if parameter.ndim > 1]
            groups = [group for group in ({"params": rest}, {"params": spared, "weight_decay": 0.0}) if group["params"]]
        if self.optimizer == "adamw":
            return torch.optim.AdamW(groups, self.lr, betas=self.betas, eps=self.epsilon, weight_decay=self.weight_decay)
        if self.optimizer == "adagrad":
            return torch.optim.Adagrad(groups, self.lr, eps=self.epsilon, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            groups, self.lr, momentum=self.momentum, nesterov=self.optimizer == "nag", weight_decay=self.weight_decay
        )


class OptimizerSchedule:
    """An optimizer, its schedule, and early stopping. The base schedule is a constant rate."""

    def __init__(self, optimizer: torch.optim.Optimizer, *, stop_after: int | None = None, min_delta: float = 0.0) -> None:
        self.optimizer = optimizer
        self.stop_after = stop_after
        self.min_delta = min_delta
        self.best: float | None = None  # lowest validation loss so far
        self.stale = 0  # epochs since the last improvement
        self.stopped = False

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """Must be called after each optimizer step."""

    def after_epoch(self, validation_loss: float | None) -> bool:
        """Must be called once per epoch, after validation; returns True if training should stop.

        Raises:
            ValueError: there is no validation loss, but the recipe uses early stopping.
        """
        if validation_loss is None:
            if self.stop_after is not None:
                raise ValueError("recipe.stop_after needs a validation loss, and no image was held out; set stop_after: null")
            self.schedule(False)
            return False
        improved = self.best is None or validation_loss < self.best - self.min_delta
        self.stale = 0 if improved else self.stale + 1
        if improved:
            self.best = validation_loss
        self.schedule(improved)
        self.stopped = self.stop_after is not None and self.stale >= self.stop_after
        return self.stopped

    def schedule(self, improved: bool) -> None:
        """Updates the schedule at the end of an epoch; ``improved``: its validation loss is the lowest so far."""

    def state_dict(self) -> dict[str, Any]:
        """State without that of the optimizer (including rates), which Lightning saves in the checkpoint."""
        return {"best": self.best, "stale": self.stale, "stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.stale, self.stopped = state["best"], state["stale"], state["stopped"]
