"""Checks of a training's labels: targets against columns and losses, evaluated targets against learned ones, and splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from configs.data_interfaces import Column, DatasetConfig, ProtocolConfig
from configs.lookup import nearest
from configs.network_interfaces import LossConfig
from grid.evaluation.evaluator import evaluated_targets
from grid.spec.training import IDENTITY, Training


def learned_columns(training: Training, known: Mapping[str, Column]) -> dict[str, Column]:
    """The labels of each target except the identity, by name; ``known`` are the columns of the training's dataset.

    Raises:
        ValueError: the dataset has no such column, ``edges`` or ``merge`` does not fit it, no value is known, or the target's
            loss
            does not fit its type or number of classes.
    """
    found: dict[str, Column] = {}
    for name, target in training.targets.items():
        source, loss = target.column or name, target.loss or training.loss
        if name == IDENTITY:
            _check_type(name, False, loss)
            continue
        if source not in known:
            raise ValueError(
                f"target {source!r} is no column of dataset {training.data.name}{nearest(source, [IDENTITY, *known])}"
            )
        try:
            column = target.learned(name, known)
        except ValueError as error:
            raise ValueError(f"targets.{name}: {error}") from error
        _check_type(name, column.classes is None, loss)
        _check_classes(name, column.classes, loss)
        if not column.known.any():
            raise ValueError(f"target {name}: no image of dataset {training.data.name} has a known value")
        found[name] = column
    return found


def _check_type(name: str, number: bool, loss: LossConfig) -> None:
    if number != (loss.predicts == "number"):
        what, fit = ("numbers", "such as regression") if number else ("classes", "such as softmax")
        raise ValueError(
            f"target {name} is a column of {what}, and loss {loss.name} is not for them; set targets.{name}.loss, {fit}"
        )


def _check_classes(name: str, classes: tuple[str, ...] | None, loss: LossConfig) -> None:
    if classes is not None and loss.required_classes not in (None, len(classes)):
        raise ValueError(
            f"target {name} has {len(classes)} classes ({', '.join(classes)}), and loss {loss.name} is for "
            f"{loss.required_classes}; set targets.{name}.loss, such as softmax"
        )


def check_evaluated(
    protocol: ProtocolConfig, training: Training, learned: Mapping[str, Column], known: Mapping[str, Column]
) -> None:
    """Checks that a protocol of predictions can evaluate a training's targets.

    Args:
        learned: the labels of each target in training
        known: the columns of the protocol's dataset

    Raises:
        ValueError: the network cannot be evaluated: a column is missing or of another kind, no value is known, or images have a
            class that the network does not predict.
    """
    data = protocol.dataset().name
    for name in evaluated_targets(protocol, training):
        classes = learned[name].classes
        try:
            column = training.targets[name].evaluated(name, known, classes)
        except ValueError as error:
            raise ValueError(f"targets.{name} on dataset {data}: {error}") from error
        if not column.known.any():
            raise ValueError(f"targets.{name}: no image of dataset {data} has a known value")
        if column.classes is None or classes is None:
            continue
        there = [one for place, one in enumerate(column.classes) if (column.values == place).any()]
        if foreign := [one for one in there if one not in classes]:
            count = int(np.isin(column.values, [column.classes.index(one) for one in foreign]).sum())
            raise ValueError(
                f"targets.{name}: {count} images of dataset {data} have the class {foreign[0]!r}, which the network does not "
                f"predict (it predicts {', '.join(classes)}); combine classes with targets.{name}.merge"
            )


def check_official(data: DatasetConfig, held: np.ndarray | None) -> None:
    """Raises ValueError unless ``held``, the mask of the published validation split, leaves images on both sides."""
    if held is None:
        raise ValueError(
            f"split.by: official needs the images of a published validation split, and dataset {data.name} has none with these "
            "settings (fairface has one with split: both); use split.by: images"
        )
    if not held.any() or held.all():
        raise ValueError(f"split.by: official holds out {int(held.sum())} of the {len(held)} images of dataset {data.name}")


def check_validation(training: Training, held: Sequence[int]) -> None:
    """Raises ValueError if the recipe needs a validation loss and there is none; ``held``: images held out of each identity."""
    if not training.recipe.needs_validation:
        return
    own, by = training.targets.get(IDENTITY), training.split.by
    loss = (own and own.loss) or training.loss
    any_image = training.recipe.decodes_only or bool(set(training.targets) - {IDENTITY})
    if any_image or (by == "images" and loss.classifies):
        enough = any(held)
    else:  # pairs are compared; the target identity has none among identities that are held out
        enough = max(held, default=0) > 1 and sum(map(bool, held)) > 1 and not (own and by == "identities")
    if not enough:
        raise _no_validation(training, held)


def _no_validation(training: Training, held: Sequence[int]) -> ValueError:
    if training.split.fraction == 0:
        why = "split.fraction is 0"
    elif max(held, default=0) > 1 and sum(map(bool, held)) > 1:
        why = "with split.by: identities, held-out identities have no class, so the target identity has no validation loss"
    elif max(held, default=0) > 1:
        why = f"images of only one identity of {training.data.name} are held out, so none can be compared with another"
    else:
        why = f"no identity of {training.data.name} has two images{' that are held out' if any(held) else ''}"
    return ValueError(
        f"recipe {training.recipe.name} needs a validation loss (for plateau, select: best or stop_after), and there is "
        f"nothing to validate on: {why}; use a recipe without, such as {{name: one_cycle, select: last}}, or another split"
    )
