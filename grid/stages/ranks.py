"""A stage on several devices within one unit of work, such as a training: starts its other ranks, and notices when one is lost.

The process that runs the stage is rank 0, the only one that writes to the ledger. The others are helpers: processes that run
the same stage with ``Context.helper`` set, on the images, the network and the checkpoint that rank 0 uses.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.ledger.ledger import Fenced

READY = 600.0  # seconds that a helper has to start and to prepare its images
POLL = 0.2  # seconds
SETTLE = 15.0  # seconds in which helpers report why they ended, once rank 0 has lost touch with them


class RankLost(Exception):
    """The process of a rank, or one of its loader processes, was lost or does not answer. No fault of the stage: try again."""


class HelperError(ValueError):
    """The stage failed in a helper; the message is that of its exception."""


@dataclass(frozen=True)
class Helper:
    """Which rank a helper is, and where it finds rank 0: plain data. ``resume`` is the checkpoint's key in the store."""

    rank: int
    world: int
    host: str
    port: int
    resume: str | None


@dataclass(frozen=True)
class Report:
    """How a helper ended: without error, or with a line and a traceback.

    Attributes:
        consequence: another rank was the cause
        lost: its process was lost, and ``error`` says how
    """

    error: str | None = None
    traceback: str = ""
    consequence: bool = False
    lost: bool = False


class Team(ABC):
    """The running helpers of one stage."""

    @abstractmethod
    def ended(self) -> Mapping[int, Report]:
        """The helpers that have ended, by rank."""

    @abstractmethod
    def stop(self) -> None:
        """Ends all helpers immediately."""


class Helpers(ABC):
    """Starts helpers: ``grid.execution.local_helpers`` and ``ray_helpers``."""

    @abstractmethod
    def host(self) -> str:
        """The address under which helpers reach this process."""

    @abstractmethod
    def start(self, tasks: Sequence[Mapping[str, Any]]) -> Team:
        """Starts one process for each task, which calls ``grid.execution.helper.help_training`` with it.

        Raises:
            RankLost: there is no room for them.
        """


def no_helpers(helpers: Sequence[Helper]) -> Team:
    """For contexts that are not those of a unit of work."""
    raise ValueError(f"compute.devices: nothing starts the other {len(helpers)} ranks of this training; use an executor")


def as_rank(context: Any, devices: int) -> bool:
    """Whether a stage on so many devices runs as a rank of several.

    A training on one device that may go on with more is measured as a rank: only then does DistributedDataParallel keep its
    buckets, which are a further copy of the gradients.
    """
    return devices > 1 or (context.memory_probe is not None and context.leaving is not None)


@contextlib.contextmanager
def all_ranks(context: Any, devices: int, resume: str | None) -> Iterator[Any]:
    """Context manager: this process is a rank of a stage on ``devices`` devices.

    Yields its ``modules.training.ranks.Rank``; None if there is one device.

    Args:
        context: a ``grid.stages.context.Context``; its ``helper`` is set in helpers
        resume: key of the checkpoint to resume from

    Raises:
        RankLost: a helper was lost.
        HelperError: a helper failed.
    """
    if not as_rank(context, devices):
        yield None
        return
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    from modules.training.ranks import PATIENCE, Rank, one_of, process_group

    if context.memory_probe is not None:  # the memory of one rank is enough
        with one_of(devices) as rank:
            yield rank
        return
    helper = context.helper
    if helper is not None:
        store = TCPStore(helper.host, helper.port, devices, False, PATIENCE)
        store.set(_ready(helper.rank), "")
        rank = Rank(helper.rank, devices, store)
        with process_group(rank, context.accelerator):
            yield rank
        return
    host = context.host()
    store = TCPStore(host, 0, devices, True, PATIENCE, wait_for_workers=False)
    rank = Rank(0, devices, store)
    team = context.start_helpers([Helper(number, devices, host, store.port, resume) for number in range(1, devices)])
    try:
        _await_ready(store, team, devices)
        with process_group(rank, context.accelerator), _watched(team, context.accelerator):
            yield rank
    except Fenced:
        raise
    except Exception as error:
        _raise_cause(error, team, devices)
        raise
    finally:
        team.stop()


def _ready(rank: int) -> str:
    return f"facegrid/ready/{rank}"


def _await_ready(store: Any, team: Team, devices: int) -> None:
    """Waits until all helpers are about to join the process group, which itself cannot notice that one is missing."""
    limit = time.monotonic() + READY
    while not store.check([_ready(rank) for rank in range(1, devices)]):
        for rank, report in team.ended().items():
            _raise_report(rank, devices, report)
        if time.monotonic() > limit:
            raise RankLost(f"the other {devices - 1} of {devices} ranks were not ready after {READY:.0f} s")
        time.sleep(POLL)


@contextlib.contextmanager
def _watched(team: Team, accelerator: str) -> Iterator[None]:
    """While nccl waits, nothing but this thread notices a helper that was lost or has failed; gloo's connections break.

    Raises:
        DistError: instead of what rank 0 raises once its process group was aborted, which is only a consequence.
    """
    if accelerator != "gpu":
        yield
        return
    from torch.distributed import DistError

    over, aborted = threading.Event(), threading.Event()

    def watch() -> None:
        from torch.distributed import distributed_c10d

        while not over.wait(1.0):
            if any(report.error is not None for report in team.ended().values()):
                aborted.set()
                distributed_c10d._abort_process_group()
                return

    thread = threading.Thread(target=watch, name="facegrid-ranks", daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        if aborted.is_set():
            raise DistError("another rank has ended") from error
        raise
    finally:
        over.set()
        thread.join()


def _raise_cause(error: Exception, team: Team, devices: int) -> None:
    """Raises what went wrong in a helper, if that is the cause of rank 0's ``error``; otherwise returns."""
    from modules.training.ranks import is_communication_error
    from modules.training.stopped import Stopped

    if isinstance(error, (Stopped, RankLost, HelperError)):
        return
    broken = is_communication_error(error)
    limit = time.monotonic() + (SETTLE if broken else 0.0)
    while len(team.ended()) < devices - 1 and time.monotonic() < limit:
        time.sleep(POLL)
    ended = team.ended()
    for rank, report in ended.items():
        if report.lost:
            _raise_report(rank, devices, report)
    if not broken:
        return
    for rank, report in ended.items():
        if report.error is not None and not report.consequence:
            _raise_report(rank, devices, report)
    raise RankLost(f"the {devices} ranks lost touch with each other ({' '.join(str(error).split())})") from error


def _raise_report(rank: int, devices: int, report: Report) -> None:
    if report.lost:
        raise RankLost(f"the process of rank {rank} of {devices} was lost ({report.error})")
    if report.error is None:
        raise RankLost(f"rank {rank} of {devices} ended before the others began")
    if report.consequence:
        raise RankLost(f"rank {rank} of {devices} lost touch with the others ({report.error})")
    failed = HelperError(report.error)
    failed.add_note(f"in rank {rank} of {devices}:\n{report.traceback}")
    raise failed
