"""Checks that nodes reach each other as the devices of one training do: an all-reduce over them with gloo or nccl."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(seconds=45)


def free_port(host: str) -> int:
    """A port at that address of this machine that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def sum_over_nodes(rank: int, world: int, host: str, port: int, backend: str) -> str | None:
    """None if the all-reduce gives this process the sum over all ranks, otherwise what is wrong.

    Args:
        rank: of this process; rank 0 runs at ``host``
        world: number of processes
        backend: "gloo" or "nccl"
    """
    import torch
    import torch.distributed as distributed

    try:
        store: Any = distributed.TCPStore(host, port, world, rank == 0, PATIENCE)  # type: ignore[attr-defined]
        distributed.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
        try:
            device = torch.device("cuda", 0) if backend == "nccl" else torch.device("cpu")
            value = torch.full((1024,), float(rank + 1), device=device)
            distributed.all_reduce(value)
            expected = world * (world + 1) / 2
            if not bool((value == expected).all()):
                return f"the all-reduce over {world} nodes gives {float(value[0]):g}, not {expected:g}"
            distributed.barrier()
        finally:
            distributed.destroy_process_group()
    except (RuntimeError, OSError, ValueError) as error:  # ValueError: nccl finds no GPU
        return " ".join(str(error).split())[:300]
    return None
