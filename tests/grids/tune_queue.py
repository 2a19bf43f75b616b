"""Tune's view of the queue of a launch, without Ray."""

import json
from pathlib import Path
from typing import Any

from grid.execution.executor import Session
from grid.execution.job import Job
from grid.execution.ray_tune import _searcher
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.spec.launch_settings import Launch


def searching(tmp_path: Path, count: int, slots: Slots, **launch: Any) -> tuple[Any, WorkQueue]:
    """Tune's view of a queue of that many cells, ``0``, ``1``, ..."""
    ids = [str(number) for number in range(count)]
    jobs = {id: Job("train", id, id, {}, {}, {}, "", str(tmp_path / "store")) for id in ids}
    queue = WorkQueue({id: Work(id, id, (job,), frozenset()) for id, job in jobs.items()}, set(ids))
    session = Session(queue, Ledger(tmp_path / "store"))
    return _searcher(session, slots, Launch.model_validate(launch)), queue


def short(tmp_path: Path, count: int, slots: Slots, **launch: Any) -> tuple[Any, WorkQueue, Session]:
    """Like ``searching``, with cells that take a hundredth of a second."""
    searcher, queue = searching(tmp_path, count, slots, **launch)
    queue.measured = lambda job: 0.01
    session = next(cell.cell_contents for cell in searcher.suggest.__closure__ if isinstance(cell.cell_contents, Session))
    return searcher, queue, session


def units(searcher: Any, *trials: str) -> list[str]:
    """The units of work of each trial; empty if there is nothing for it."""
    return ["".join(json.loads((searcher.suggest(trial) or {"ids": "[]"})["ids"])) for trial in trials]
