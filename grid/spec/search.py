"""A search for the dense layers of the head: which stacks are tried, and for how long each is trained.

Successive halving (Jamieson and Talwalkar, AISTATS 2016, algorithm 1): all trials are trained for a few epochs, a share of them
is trained for longer, and so on. Each of these steps is a rung. A rung begins once the rung before it is complete, so the
winner does not depend on timing. With ``scheduler: asha``, a trial goes on as soon as it is among the best of those that have
finished the rung (Li et al., MLSys 2020, arXiv:1810.05934, algorithm 2).

Trial ``n`` is a function of the seed and n alone. All stages are thus known when the grid is planned, and more trials later
leave the first ones as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from configs.component import Config, canonical, digest
from configs.lookup import resolve
from configs.network_interfaces import HeadConfig
from grid.spec.training import IDENTITY, Training

HEAD = "dense"  # the head whose layers are searched
METRIC = re.compile(r"validation_(loss|accuracy|mae)(?:_(.+))?")
Layer = Mapping[str, Any]  # width, activation, dropout


class Space(Config):
    """The stacks among which trials are drawn: first the number of layers, then each layer, all uniformly.

    Debreczeni et al. do not state their space. Theirs contains Table II, whose widths are multiples of 128, and so does the
    default.
    """

    layers: tuple[int, int] = (1, 6)  # fewest and most, with the embedding
    widths: tuple[int, int] = (128, 2560)  # narrowest and widest
    step: int = Field(default=128, ge=1)  # between widths
    activations: tuple[str, ...] = ("leaky_relu", "relu", "tanh")
    dropouts: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)

    @field_validator("layers", "widths")
    @classmethod
    def _ascending(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1]:
            raise ValueError(f"the smallest and the largest number, both at least 1; found {list(value)}")
        return value

    @field_validator("activations", "dropouts")
    @classmethod
    def _choices(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError(f"one choice or more, each once; found {list(value)}")
        return value

    @property
    def kinds(self) -> int:
        """The number of different layers."""
        return ((self.widths[1] - self.widths[0]) // self.step + 1) * len(self.activations) * len(self.dropouts)

    @property
    def size(self) -> int:
        """The number of different stacks."""
        return sum(self.kinds**count for count in range(self.layers[0], self.layers[1] + 1))

    @property
    def largest(self) -> list[Layer]:
        """A stack that takes as much memory as any that can be drawn: the most layers, all of the largest width."""
        width = self.widths[0] + (self.widths[1] - self.widths[0]) // self.step * self.step
        activation = next((name for name in self.activations if name != "linear"), "linear")  # which keeps nothing
        layer = {"width": width, "activation": activation, "dropout": max(self.dropouts)}
        return [layer] * self.layers[1]

    def stack(self, *key: Any) -> list[Layer]:
        """The stack drawn for a key, first to last layer; the last one is the embedding.

        Each draw is a digest of the key, not a random number generator, whose numbers may differ between library versions.
        """

        def draw(what: str, count: int) -> int:
            return int(digest([*key, what]), 16) % count

        def layer(number: int) -> Layer:
            width = draw(f"width {number}", (self.widths[1] - self.widths[0]) // self.step + 1)
            return {
                "width": self.widths[0] + self.step * width,
                "activation": self.activations[draw(f"activation {number}", len(self.activations))],
                "dropout": self.dropouts[draw(f"dropout {number}", len(self.dropouts))],
            }

        count = self.layers[0] + draw("layers", self.layers[1] - self.layers[0] + 1)
        return [layer(number) for number in range(count)]

    def __contains__(self, stack: Any) -> bool:
        """Whether a stack, a list of layers, can be drawn."""
        return self.layers[0] <= len(stack) <= self.layers[1] and all(
            self.widths[0] <= layer["width"] <= self.widths[1]
            and (layer["width"] - self.widths[0]) % self.step == 0
            and layer["activation"] in self.activations
            and layer["dropout"] in self.dropouts
            for layer in stack
        )


class Search(Config):
    """Fields:
    trials: how many stacks are tried
    rungs: the epochs after which trials are compared; the last number is the length of a whole training
    reduction: one trial in that many is trained further at each rung
    metric: of the validation, by which trials are compared: a loss or ``mae`` is minimized, an accuracy maximized
    seed: of the choice of stacks and of the training of every trial
    scheduler: ``halving``, or ``asha``, whose rungs do not wait for each other
    """

    trials: int = Field(default=27, ge=2, le=1000)
    rungs: tuple[int, ...] = (2, 6, 18)
    reduction: int = Field(default=3, ge=2)
    metric: str = "validation_loss"
    seed: int = 0
    scheduler: Literal["halving", "asha"] = "halving"
    space: Space = Space()

    @field_validator("rungs")
    @classmethod
    def _longer(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] < 1 or any(before >= after for before, after in pairwise(value)):
            raise ValueError(f"numbers of epochs in ascending order, from 1; found {list(value)}")
        return value

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        if not METRIC.fullmatch(value):
            raise ValueError(
                f"{value!r} is no number of the validation; known: validation_loss, validation_accuracy and, with targets, "
                "validation_loss_NAME, validation_accuracy_NAME, validation_mae_NAME"
            )
        return value

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.space.size < self.trials:
            raise ValueError(f"the space has {self.space.size} stacks, fewer than the {self.trials} trials; set fewer trials")
        least = self.reduction ** (len(self.rungs) - 1)
        if self.asynchronous and self.trials < least:
            raise ValueError(
                f"scheduler asha trains one of {self.reduction} trials further at each of {len(self.rungs)} rungs, so none of "
                f"{self.trials} trials reaches the last one; set {least} trials or more, or fewer rungs"
            )
        return self

    @property
    def asynchronous(self) -> bool:
        """Whether a trial goes on before its rung is complete."""
        return self.scheduler == "asha"

    @property
    def maximizes(self) -> bool:
        """Whether a higher metric is better."""
        return maximizes(self.metric)

    def places(self, rung: int) -> int:
        """The number of trials that are trained in a rung, counted from 0: ``trials``, then a share of the rung before.

        With ``asha``, at least: which trials are among the best changes while results arrive.
        """
        return max(1, self.trials // int(self.reduction**rung))

    @property
    def trainings(self) -> tuple[int, ...]:
        """The number of trials trained in each rung; with ``asha`` at most: all but those that never are among the best.

        The ``reduction`` - 1 worst trials of a rung never are, whatever the order of the results.
        """
        if not self.asynchronous:
            return tuple(self.places(rung) for rung in range(len(self.rungs)))
        return tuple(self.trials - rung * (self.reduction - 1) for rung in range(len(self.rungs)))

    @property
    def stages(self) -> int:
        """The number of stages; with ``asha`` every trial has one in each rung, and trains nothing if it is not promoted."""
        return self.trials * len(self.rungs) if self.asynchronous else sum(self.trainings)

    def stacks(self) -> list[list[Layer]]:
        """The stack of each trial; all differ."""
        found: list[list[Layer]] = []
        seen: set[str] = set()
        for number in range(self.trials):
            again = 0
            while canonical(stack := self.space.stack(self.seed, number, again)) in seen:
                again += 1
            seen.add(canonical(stack))
            found.append(stack)
        return found

    def heads(self, template: Any) -> list[HeadConfig]:
        """The head of each trial: the layers of its stack, and everything else as in ``template``.

        Raises:
            ValueError: a layer is not valid, such as an unknown activation.
        """
        return [with_layers(template, stack) for stack in self.stacks()]

    def training(self, training: Training) -> Training:
        """The training of every trial, apart from its head: seed and length of the search.

        Raises:
            ValueError: the recipe does not accept that length.
        """
        recipe = resolve("recipe", {**training.recipe.model_dump(mode="json"), "epochs": self.rungs[-1]})
        return training.model_copy(update={"recipe": recipe, "seed": self.seed})

    def check(self, training: Training) -> None:
        """Raises ValueError if the head of this training cannot be searched."""
        if training.head.name != HEAD:
            raise ValueError(f"it searches the layers of head {HEAD}, and head is {training.head.name}; set head: {HEAD}")
        if training.head.every_dropout is not None:  # type: ignore[attr-defined]
            raise ValueError("it chooses the dropout of each layer, and head.every_dropout replaces them; leave that out")
        if not training.classifies:
            raise ValueError("it trains a head, and the recipe trains none")
        if training.compute.devices > 1:
            raise ValueError(f"trials train on one device, and compute.devices is {training.compute.devices}; set it to 1")
        if training.split.by != "official" and not training.split.fraction:
            raise ValueError("it compares trials on the validation set, and split.fraction is 0; hold out some images")
        if self.metric not in (known := validation_metrics(training)):
            raise ValueError(f"metric: the validation of this training has no {self.metric} (known: {', '.join(known)})")
        if training.targets and all(target.head is not None for target in training.targets.values()):
            raise ValueError("it searches the shared head, and every target has a head of its own; remove one of those")
        self.training(training)
        with_layers(training.head, self.space.stack(self.seed, 0, 0))
        for activation in self.space.activations:
            with_layers(training.head, [{"width": self.space.widths[0], "activation": activation, "dropout": 0.0}])
        for dropout in self.space.dropouts:
            with_layers(training.head, [{"width": 1, "activation": self.space.activations[0], "dropout": dropout}])


def validation_metrics(training: Training) -> list[str]:
    """The metrics of the validation by which the trials of a search can be compared, sorted.

    A target has an accuracy if its loss has a classifier, and a mean absolute error if it predicts numbers. The accuracy
    without a name is that of the primary target, see ``modules.targets``. Held-out subjects have no label of the identity; a
    single loss is then validated by verification, which has an accuracy for every loss.
    """
    if not training.targets:
        accurate = training.loss.classifies or training.split.by == "identities"
        return ["validation_accuracy", "validation_loss"] if accurate else ["validation_loss"]
    losses = dict(zip(training.targets, training.losses, strict=True))
    if training.split.by == "identities":
        losses.pop(IDENTITY, None)
    found = [f"validation_loss_{name}" for name in losses]
    found += [f"validation_accuracy_{name}" for name, loss in losses.items() if loss.classifies]
    found += [f"validation_mae_{name}" for name, loss in losses.items() if loss.predicts == "number"]
    found += ["validation_loss"] if losses else []
    primary = {IDENTITY} & training.targets.keys() or losses.keys()
    found += ["validation_accuracy"] if any(name in losses and losses[name].classifies for name in primary) else []
    return sorted(found)


def maximizes(metric: str) -> bool:
    """Whether a higher value of a validation metric is better."""
    return metric.startswith("validation_accuracy")


def with_layers(template: Any, stack: list[Layer]) -> HeadConfig:
    """A dense head with these layers, the last one its embedding, and the other settings of ``template``."""
    found = resolve("head", replaced_layers(template.model_dump(mode="json"), stack))
    assert isinstance(found, HeadConfig)
    return found


def replaced_layers(head: Mapping[str, Any], stack: list[Layer]) -> dict[str, Any]:
    """The same, of a head given as JSON."""
    last = stack[-1]
    own = {"dimension": last["width"], "activation": last["activation"], "dropout": last["dropout"]}
    return {**head, "hidden": list(stack[:-1]), **own}


def layers_of(head: Mapping[str, Any]) -> list[Layer]:
    """The layers of a dense head, given as JSON, first to last."""
    last = {"width": head["dimension"], "activation": head["activation"], "dropout": head["dropout"]}
    return [*head["hidden"], last]


def words(stack: list[Layer]) -> str:
    """``640 leaky_relu 0.2 | 896 relu 0.3``: width, activation and dropout of each layer."""
    return " | ".join(f"{layer['width']} {layer['activation']} {layer['dropout']:g}" for layer in stack)


def searched(training: Training, facts: Mapping[str, Any]) -> Training:
    """The training with the head that a search chose, if the facts of a finished stage name one."""
    head = facts.get("head")
    return training if head is None else training.model_copy(update={"head": resolve("head", head)})


class Slot(Config):
    """One training of a search: a place in a rung.

    In the first rung ``place`` is the number of the trial, from 0. In later rungs it is a rank by ``metric``, from 0, among the
    ``earlier`` trials of the rung before. With ``asha`` it is the number of the trial in all rungs, and ``rivals`` are the ids
    of the stages of the rung before, of which one in ``reduction`` goes on. ``space`` is that of the search, which bounds the
    memory of each of its trials.
    """

    rung: int
    place: int
    epochs: int
    earlier: int = 0
    metric: str = ""
    rivals: tuple[str, ...] = ()
    reduction: int = 0
    space: Space = Space()
