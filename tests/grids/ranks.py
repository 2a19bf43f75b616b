"""Runs a function in several processes that form a process group, as the ranks of a training do.

Tests import it by its module name; this folder is on pytest's path.
"""

from __future__ import annotations

import pickle
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

from forked import context

from modules.training import ranks
from modules.training.ranks import Rank, process_group

PATIENCE = 120.0  # seconds


def together(
    folder: Path, world: int, program: str, connected: str = "cpu", patience: timedelta = ranks.PATIENCE, **values: Any
) -> list[Any]:
    """Runs Python source in ``world`` new processes, which see ``rank``, a ``Rank``, and ``values``.

    Args:
        connected: "cpu" for gloo, "gpu" for nccl
        patience: longest wait in a collective call

    Returns:
        what each has assigned to ``result``

    Raises:
        AssertionError: one of them raised an exception.
    """
    folder.mkdir(exist_ok=True)
    words = [(number, world, str(folder), program, connected, patience, values) for number in range(world)]
    processes = [context().Process(target=_one, args=one) for one in words]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
    found = [pickle.loads((folder / str(number)).read_bytes()) for number in range(world)]
    assert all(not isinstance(one, str) for one in found), "\n".join(map(str, found))
    return found


def _one(
    number: int, world: int, folder: str, program: str, connected: str, patience: timedelta, values: dict[str, Any]
) -> None:
    import torch

    ranks.PATIENCE = patience

    torch.set_num_threads(1)
    rank = Rank(number, world, torch.distributed.FileStore(f"{folder}/store", world))
    names = {"rank": rank, "result": None, **values}
    try:
        with process_group(rank, connected):
            exec(compile(program, "<program>", "exec"), names)
        found = names["result"]
    except BaseException:
        found = traceback.format_exc()
    Path(folder, str(number)).write_bytes(pickle.dumps(found))
