"""One rank of a training or evaluation on several devices: its number, and joining the process group."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed

PATIENCE = timedelta(minutes=10)  # longest wait for another rank: it may load images or write a checkpoint
_SAID = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)


@dataclass(frozen=True)
class Rank:
    """Its number, from 0, and the number of ranks."""

    number: int
    world: int


@contextlib.contextmanager
def process_group(rank: Rank, store: Any, accelerator: str) -> Iterator[None]:
    """Context manager: torch's default process group, with nccl on GPUs and gloo elsewhere.

    Args:
        store: ``torch.distributed.TCPStore`` that all ranks use
        accelerator: "gpu" or "cpu"
    """
    backend = "nccl" if accelerator == "gpu" else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=rank.number, world_size=rank.world, timeout=PATIENCE)
    try:
        yield
    finally:
        if torch.distributed.is_initialized():  # it was aborted where another rank was lost
            torch.distributed.destroy_process_group()


@contextlib.contextmanager
def one_of(world: int) -> Iterator[None]:
    """Context manager: torch's default process group of ``world`` ranks, of which only rank 0 is there.

    What it gathers is as large as in a real one, but all parts are its own, and sums are without the others. So a training has
    the memory of one rank, and numbers that mean nothing.
    """
    torch.distributed.init_process_group("fake", rank=0, world_size=world)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def is_communication_error(error: BaseException) -> bool:
    """Whether an exception says that another rank did not answer, rather than what went wrong there."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))
