"""The exponential moving average of a network's weights and normalization statistics."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """average <- decay x average + (1 - decay) x weights; the first update copies the weights.

    torch's class reads its number of updates from the device in every step; this one only in the first step of a process.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        self.requires_grad_(False)
        self._begun = False

    def update_parameters(self, model: nn.Module) -> None:
        if not self._begun:
            super().update_parameters(model)
            self._begun = True
            return
        groups: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        for mine, current in zip(_tensors(self.module), _tensors(model), strict=True):
            groups[mine.dtype][0].append(mine)
            groups[mine.dtype][1].append(current)
        update: Any = self.multi_avg_fn
        for mine_all, current_all in groups.values():
            update(mine_all, current_all, self.n_averaged)
        self.n_averaged += 1


def _tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in chain(module.parameters(), module.buffers())]
