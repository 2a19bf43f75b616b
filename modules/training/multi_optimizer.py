"""Combines two optimizers: one for recognition, one for the decoder (Xu et al., Section IV: SGD and Adam)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


class Together(torch.optim.Optimizer):
    """Wraps several optimizers as one, so that clipping, mixed precision and checkpoints treat the network as a whole.

    Each optimizer keeps its algorithm, rates and state; ``param_groups`` is the shared list of all groups.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimizers = list(optimizers)
        parameters = [parameter for one in self.optimizers for group in one.param_groups for parameter in group["params"]]
        assert len({id(parameter) for parameter in parameters}) == len(parameters), "a parameter has two optimizers"
        super().__init__(parameters, {})
        self.param_groups = [group for one in self.optimizers for group in one.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Steps each optimizer once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for one in self.optimizers:
            one.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        for one in self.optimizers:
            one.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"optimizers": [one.state_dict() for one in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for one, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            one.load_state_dict(state)
        self.param_groups = [group for one in self.optimizers for group in one.param_groups]  # loading replaces the groups
