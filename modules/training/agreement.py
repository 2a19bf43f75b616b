"""What any rank of a training wants, heard one step later, so that no step waits for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed

from modules.layers.late_copy import LateCopy


class Agreement:
    """Tells all ranks what any of them has answered to the same questions, as in ``LateLosses``.

    All ranks must call ``ask`` and ``heard`` together.

    Args:
        device: on which the ranks communicate
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copy = LateCopy()
        self._asked = False

    def ask(self, mine: Sequence[bool]) -> None:
        """Sends this rank's answers; they replace those that were not heard."""
        sent = torch.zeros(len(mine), dtype=torch.int32, device=self._device)
        for place, answer in enumerate(mine):
            sent[place].fill_(int(answer))
        torch.distributed.all_reduce(sent, torch.distributed.ReduceOp.MAX)
        self._copy.send(sent)
        self._asked = True

    def heard(self) -> tuple[bool, ...]:
        """For each question that was asked last, whether any rank said yes; empty if nothing was asked since."""
        asked, self._asked = self._asked, False
        return tuple(map(bool, self._copy.read())) if asked else ()
