"""One rank of a training or evaluation on several devices: its number, the process group, and waiting for another rank."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed

PATIENCE = timedelta(minutes=10)  # longest wait for another rank in a collective call
FOREVER = timedelta(days=365)
# torch's store and nccl raise a DistError, gloo a RuntimeError that begins with the place in its source
_SAID = re.compile(r"/gloo/\S+:\d+\] |NCCL (error|communicator)")


@dataclass(frozen=True)
class Rank:
    """Its number, from 0, the number of ranks, and the store through which they found each other."""

    number: int
    world: int
    store: Any  # a torch.distributed.Store

    def announce(self, step: str) -> None:
        """Tells the ranks that call ``wait_for`` that this one has done a step; its name is used once."""
        self.store.set(f"facegrid/{step}", "")

    def wait_for(self, step: str) -> None:
        """Waits until a rank announces a step, however long that takes.

        Raises:
            DistError: the process that has the store, that of rank 0, has ended.
        """
        self.store.wait([f"facegrid/{step}"], FOREVER)


@contextlib.contextmanager
def process_group(rank: Rank, accelerator: str) -> Iterator[None]:
    """Context manager: torch's default process group, with nccl on GPUs and gloo elsewhere.

    Args:
        accelerator: "gpu" or "cpu"
    """
    backend = "nccl" if accelerator == "gpu" else "gloo"
    torch.distributed.init_process_group(backend, store=rank.store, rank=rank.number, world_size=rank.world, timeout=PATIENCE)
    try:
        yield
    finally:
        if torch.distributed.is_initialized():  # it was aborted where another rank was lost
            torch.distributed.destroy_process_group()


@contextlib.contextmanager
def one_of(world: int) -> Iterator[Rank]:
    """Context manager: torch's default process group of ``world`` ranks, of which only rank 0 is there; yields that.

    What it gathers is as large as in a real one, but all parts are its own, and sums are without the others. So a training has
    the memory of one rank, and numbers that mean nothing.
    """
    from torch.distributed import HashStore  # type: ignore[attr-defined]

    torch.distributed.init_process_group("fake", rank=0, world_size=world)
    try:
        yield Rank(0, world, HashStore())
    finally:
        torch.distributed.destroy_process_group()


def is_communication_error(error: BaseException) -> bool:
    """Whether an exception says that another rank did not answer, rather than what went wrong there."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))
