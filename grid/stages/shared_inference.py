"""Runs a network over many images on all devices of a cell; each computes some of the batches.

The batches are those of one device, so results do not depend on the number of devices: bit for bit, on devices of one kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
import torch.distributed
from torch import Tensor

from datamodules.inference import Precision, Take, batch_size, infer
from grid.stages.context import Context
from grid.stages.ranks import POLL, Helper, Team, all_ranks
from modules.training.ranks import PATIENCE, Rank

BATCHES, READY = "facegrid/batches", "facegrid/computed"  # of all ranks together: batches computed, shares completed
FEWEST = {"cpu": 4, "gpu": 32}  # batches per device; a further process would take longer to start than these to compute


def shares(count: int, size: int, devices: int) -> list[range]:
    """The images of each device: consecutive ones in whole batches of ``size``; the first devices may have a batch more.

    Each image is in exactly one share. With fewer batches than devices, the last shares are empty.
    """
    batches, extra = divmod(-(-count // size), devices)
    ends = [0, *(min(count, size * (batches * one + min(one, extra))) for one in range(1, devices + 1))]
    return [range(start, stop) for start, stop in pairwise(ends)]


def shared_inference(
    function: Callable[[Tensor], Mapping[str, Tensor]],
    take: Take,
    rows: Sequence[int] | np.ndarray,
    context: Context,
    precision: Precision = "32-true",
) -> dict[str, Tensor]:
    """What ``datamodules.inference.infer`` returns, computed on up to ``context.devices`` devices; reports the progress.

    Few images are computed on one device. In a helper (``context.helper``), the result is that of its own share and of no use:
    the stage ends there without writing anything.

    Raises:
        RankLost: the process of another device was lost.
        HelperError: the stage failed there.
    """
    every = np.asarray(rows, np.int64)
    size = batch_size(context.device, *take(every[:1].tolist()).shape[1:3])
    helper, batches = context.helper, -(-len(every) // size)
    most = 1 if context.fast else min(context.devices, batches // FEWEST[context.accelerator])
    devices = max(1, most) if helper is None else helper.world
    parts = shares(len(every), size, devices)

    teams = list[Team]()

    def start(helpers: Sequence[Helper]) -> Team:
        teams.append(context.start_helpers(helpers))
        return teams[0]

    # results are gathered on the host, so the processes are connected by gloo on GPUs, too
    with all_ranks(replace(context, accelerator="cpu", start_helpers=start) if devices > 1 else context, devices, None) as rank:
        own = parts[0 if rank is None else rank.number]

        def progress(done: int, total: int) -> None:
            context.report({"done": done, "total": total, "unit": "images"})
            if rank is not None:
                rank.store.add(BATCHES, 1)

        found = infer(function, take, every[own.start : own.stop], context.device, precision, progress)
        if rank is None:
            return found
        _await_all(rank, teams)
        return _gathered(found, parts, rank)


def _await_all(rank: Rank, teams: Sequence[Team]) -> None:
    """Waits until all ranks have computed their shares: as long as one of them makes progress, however slow it is.

    To receive and to send, a rank waits for ``PATIENCE`` only.

    Args:
        rank: its store counts the batches of all ranks
        teams: in rank 0 the helpers, where this process has started them

    Raises:
        DistError: a helper has ended, or no batch was computed for ``PATIENCE``.
    """
    rank.store.add(READY, 1)
    seen, since = -1, 0.0
    while rank.store.add(READY, 0) < rank.world:
        if (batches := rank.store.add(BATCHES, 0)) != seen:
            seen, since = batches, time.monotonic()
        if any(team.ended() for team in teams):
            raise torch.distributed.DistError("a process has ended before its share was computed")
        if time.monotonic() - since > PATIENCE.total_seconds():
            raise torch.distributed.DistError(f"no process has computed a batch for {PATIENCE}")
        time.sleep(POLL)


def _gathered(part: dict[str, Tensor], parts: Sequence[range], rank: Rank) -> dict[str, Tensor]:
    """In rank 0 the results of all ranks, in the order of the images; in the others their own."""
    if rank.number:
        for name in sorted(part):
            torch.distributed.send(part[name].contiguous(), 0)
        return part
    whole = {name: first.new_empty((parts[-1].stop, *first.shape[1:])) for name, first in part.items()}
    for name, values in sorted(whole.items()):
        values[: parts[0].stop] = part[name]
        for number, one in enumerate(parts[1:], 1):
            torch.distributed.recv(values[one.start : one.stop], number)
    return whole
