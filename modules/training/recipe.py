"""How the weights move: the fields that recipes share, and the optimiser with its schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from configs.component import Born
from configs.interfaces import RecipeConfig
from modules.training.freezing import DECODER

OPTIMIZER_COPIES = {"adagrad": 1, "adamw": 2, "nag": 1, "sgd": 1}  # tensors of state per parameter


class Recipe(RecipeConfig):
    """The fields of every recipe.

    ``nag`` is SGD with Nesterov's momentum. ``weight_decay`` is 0 because the study of the default recipe states none.
    ``decay_norm_and_bias: false`` spares parameters of fewer than two dimensions, which are biases and normalisations.
    An epoch improves when its validation loss is below the best one so far by more than ``min_delta``.
    """

    optimizer: Literal["nag", "sgd", "adamw", "adagrad"] = "nag"  # adagrad: Duchi et al., 2011; FaceNet's
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)  # of nag and sgd
    betas: tuple[float, float] = (0.9, 0.999)  # of adamw
    epsilon: float = Field(default=1e-8, gt=0)  # of adamw and adagrad
    weight_decay: float = Field(default=0.0, ge=0)
    decay_norm_and_bias: bool = True
    clip: float | None = Field(default=None, gt=0)  # largest norm of the whole gradient; None: not clipped
    epochs: int = Field(default=100, ge=1)  # at most
    batch_size: int = Field(default=32, ge=1)  # images per step over all devices
    stop_after: int | None = Field(default=None, ge=1)  # stale epochs before training stops; None: never
    min_delta: float = Field(default=0.0, ge=0)
    select: Literal["best", "last"] = "best"  # the epoch whose weights are kept
    channels_last: Annotated[bool, Born(False)] = False  # in memory; quicker for depthwise convolutions, other last digits
    trainable: Annotated[int | str, Born("all")] = "all"  # of the backbone, see ``freezing``; or "decoder": it alone
    accumulate: Annotated[int, Born(1), Field(ge=1)] = 1  # parts that a batch goes through the network in, to save memory
    ema: Annotated[float | None, Born(None), Field(gt=0, lt=1)] = None  # per step; the weights' moving average is what is kept

    @property
    def decodes_only(self) -> bool:
        """Whether the decoder is all that learns, and recognition is no part of the loss."""
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
        """The optimiser of those ``parameters`` that are trainable, each once."""
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
    """An optimiser, its schedule, and the rule that ends training early. The base schedule is a constant rate."""

    def __init__(self, optimizer: torch.optim.Optimizer, *, stop_after: int | None = None, min_delta: float = 0.0) -> None:
        self.optimizer = optimizer
        self.stop_after = stop_after
        self.min_delta = min_delta
        self.best: float | None = None  # lowest validation loss so far
        self.stale = 0  # epochs since it fell
        self.stopped = False

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """To be called after each step of the optimiser."""

    def after_epoch(self, validation_loss: float | None) -> bool:
        """To be called once an epoch, after validation; True: training ends here.

        Raises:
            ValueError: there is no validation loss, and the recipe stops by it.
        """
        if validation_loss is None:
            if self.stop_after is not None:
                raise ValueError("recipe.stop_after needs a validation loss, and no image was held out; set stop_after: null")
            return False
        improved = self.best is None or validation_loss < self.best - self.min_delta
        self.stale = 0 if improved else self.stale + 1
        if improved:
            self.best = validation_loss
        self.schedule(improved)
        self.stopped = self.stop_after is not None and self.stale >= self.stop_after
        return self.stopped

    def schedule(self, improved: bool) -> None:
        """What the schedule makes of an epoch's validation."""

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser's own state (rates included), which Lightning saves with the checkpoint."""
        return {"best": self.best, "stale": self.stale, "stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.stale, self.stopped = state["best"], state["stale"], state["stopped"]
