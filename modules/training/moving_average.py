"""The exponential moving average of a network's weights and normalization statistics."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STATISTICS = ("running_mean", "running_var")  # the last part of a buffer's name


class MovingAverage(AveragedModel):
    """average <- decay x average + (1 - decay) x weights; the first update copies the weights.

    Of the buffers, those of normalization are averaged. All others, such as labels and the memory of a loss, are copied.
    torch's class averages all of them, and reads its number of updates from the device in every step; this one only in the
    first step of a process.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        self.requires_grad_(False)
        self._begun = False

    def update_parameters(self, model: nn.Module) -> None:
        groups: dict[tuple[torch.dtype, bool], tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        first = not self._begun and self.n_averaged == 0
        for (mine, averaged), (current, _) in zip(_tensors(self.module), _tensors(model), strict=True):
            mine_all, current_all = groups[mine.dtype, averaged and not first]
            mine_all.append(mine)
            current_all.append(current)
        self._begun = True
        update: Any = self.multi_avg_fn
        for (_, averaged), (mine_all, current_all) in groups.items():
            if averaged:
                update(mine_all, current_all, self.n_averaged)
            else:
                torch._foreach_copy_(mine_all, current_all)
        self.n_averaged += 1


def _tensors(module: nn.Module) -> list[tuple[Tensor, bool]]:
    """All parameters and buffers, each with whether it is averaged."""
    buffers = [(tensor, name.endswith(STATISTICS)) for name, tensor in module.named_buffers()]
    return [(tensor.detach(), averaged) for tensor, averaged in [*((one, True) for one in module.parameters()), *buffers]]
