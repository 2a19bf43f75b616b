"""Stops training immediately on a non-finite loss, and reports the step."""

from __future__ import annotations

import math


class NonFiniteLoss(ValueError):
    """A loss is NaN or infinite; further steps would only corrupt the weights."""


def finite(value: float, what: str, epoch: int, step: int) -> float:
    """Returns ``value`` if it is finite.

    Args:
        value: the loss.
        what: name of the loss, such as "training loss".
        epoch: from 0.
        step: number of optimizer steps done before, over all epochs.

    Raises:
        NonFiniteLoss: ``value`` is NaN or infinite.
    """
    if not math.isfinite(value):
        where = f"in epoch {epoch} after {step} steps"
        raise NonFiniteLoss(f"{what} is {value} {where}; a smaller recipe.lr, recipe.clip or 32-bit precision may help")
    return value
