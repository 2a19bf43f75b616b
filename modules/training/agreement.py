"""What any rank of a training wants, heard one step later, so that no step waits for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor


class Agreement:
    """Tells all ranks what any of them has answered to the same questions, as in ``LateLosses``.

    All ranks must call ``ask`` and ``heard`` together.

    Args:
        device: on which the ranks communicate
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._answers: Tensor | None = None
        self._copied: torch.cuda.Event | None = None

    def ask(self, mine: Sequence[bool]) -> None:
        """Sends this rank's answers; they replace those that were not heard."""
        sent = torch.zeros(len(mine), dtype=torch.int32, device=self._device)
        for place, answer in enumerate(mine):
            sent[place].fill_(int(answer))
        torch.distributed.all_reduce(sent, torch.distributed.ReduceOp.MAX)
        if sent.is_cuda:
            self._answers = torch.empty(len(mine), dtype=torch.int32, pin_memory=True)
            self._answers.copy_(sent, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()
        else:
            self._answers = sent

    def heard(self) -> tuple[bool, ...]:
        """For each question that was asked last, whether any rank said yes; empty if nothing was asked since."""
        answers, self._answers = self._answers, None
        if answers is None:
            return ()
        if self._copied is not None:
            self._copied.synchronize()
        return tuple(bool(answer) for answer in answers.numpy())
