"""A loss that is no number ends a training at once, and says where."""

from __future__ import annotations

import math


class NonFiniteLoss(ValueError):
    """A loss is NaN or infinite: more steps would only spread it through the weights."""


def finite(value: float, what: str, epoch: int, step: int) -> float:
    """``value`` itself.

    Args:
        value: the loss.
        what: which loss it is, such as "training loss".
        epoch: from 0.
        step: optimiser steps done before it, over all epochs.

    Raises:
        NonFiniteLoss: it is NaN or infinite.
    """
    if not math.isfinite(value):
        where = f"in epoch {epoch} after {step} steps"
        raise NonFiniteLoss(f"{what} is {value} {where}; a smaller recipe.lr, recipe.clip or 32-bit precision may help")
    return value
