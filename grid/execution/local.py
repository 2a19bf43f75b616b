"""Runs work sequentially in this process, without Ray, so that breakpoints work.

Only the shards of a detection run at the same time, each in a process of its own: every cell waits for them, and on a CPU each
uses one core. ``debug`` computes them here, too.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

from grid.execution.executor import LOST, Executor, Session
from grid.execution.job import NO_MEMORY, WAIT, Job, Outcome, RunOptions, accelerator, device_words
from grid.execution.out_of_memory import advice
from grid.execution.perform import perform, usable_devices_of
from grid.execution.scheduler import Work
from grid.execution.slots import UNLIMITED
from grid.execution.work_processes import Ended, WorkProcesses
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.ledger import Ledger
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch
from grid.spec.stage_name import DETECT_SHARD
from grid.stages.ranks import RankLost


class LocalExecutor(Executor):
    """Runs work in this process, and shards of a detection beside it; ``debug`` uses it too.

    Args:
        fast, raises, wait: see ``RunOptions``.
    """

    def __init__(self, launch: Launch, fast: bool = False, raises: bool = False, wait: float = WAIT) -> None:
        super().__init__(launch)
        device = "cpu" if launch.resources.gpus == 0 else accelerator()
        self.options = RunOptions(
            accelerator=device,
            devices=visible_gpus(device),
            fast=fast,
            raises=raises,
            wait=wait,
            larger=frozenset({"gpu"}),  # nothing is reserved: other processes may hold the memory now, and not later
        )

    def run(self, session: Session) -> None:
        """See ``Executor.run``; raises BadInput as ``check`` does."""
        self.check(session)
        if sum(map(_is_shard, session.queue.waiting.values())) > 1 and (most := self.processes(session)) > 1:
            session.say(f"the shards of detections run in up to {most} processes beside this one")
        while work := session.take(self.reserved):
            if _is_shard(work) and any(map(_is_shard, session.queue.ready())) and (most := self.processes(session)) > 1:
                self._together(session, work, most)
            else:
                self.perform(session, work)

    def processes(self, session: Session) -> int:
        """How many shards of a detection run at once: one on a GPU, which they would share, and in a debugger."""
        if self.options.accelerator == "gpu" or self.options.raises or self.options.fast or not session.ledger.store.shared:
            return 1
        fit = int(len(os.sched_getaffinity(0)) / self.launch.resources.cpus)
        return max(1, min(fit, self.launch.concurrency or fit))

    def _together(self, session: Session, work: Work, most: int) -> None:
        """Performs a shard that was taken, and all ready ones, in up to ``most`` processes."""
        options = {"accelerator": self.options.accelerator, "wait": self.options.wait, "reserved": self.reserved(work)}
        losses: dict[str, int] = {}
        with WorkProcesses(options) as processes:
            processes.start(work)
            while True:
                while processes.running < most and (more := session.take(self.reserved, partial(filter, _is_shard))):
                    processes.start(more)
                if not processes.running:
                    return
                said = processes.next()
                if not isinstance(said, Ended):
                    session.report(said.work, said.label, said.row)
                elif said.outcomes is not None:
                    session.end(said.work, said.outcomes)
                else:
                    most = max(1, most - 1)  # where memory ran out, fewer processes have more of it
                    losses[said.work.id] = losses.get(said.work.id, 0) + 1
                    self._lost(session, said, losses[said.work.id])

    def _lost(self, session: Session, said: Ended, times: int) -> None:
        """Puts a shard whose process was lost back into the queue, or gives it up."""
        if times > self.launch.retries:
            session.lose(said.work)
            return
        session.say(f"{said.work.title}: its process was lost ({said.why}); it goes on in another one")
        session.again(said.work)

    def reserved(self, work: Work) -> dict[str, float]:
        """The CPUs and GPUs of a unit of work: ``launch.resources`` and, where there is a GPU, one, for each of its devices."""
        devices = self._taken(work)
        return {CPU: self.launch.resources.cpus * devices, GPU: float(devices * (self.options.accelerator == "gpu"))}

    def _taken(self, work: Work) -> int:
        """The most devices that a stage of the unit of work takes, each with a process of its own."""
        ledger = Ledger(work.jobs[0].store)
        return 1 if self.options.fast else usable_devices_of(work.jobs, ledger, self._devices(ledger) or UNLIMITED)

    def perform(self, session: Session, work: Work) -> Mapping[str, Outcome]:
        """Performs work that was taken, and records its end; returns the outcomes, none if its processes were lost too often.

        Raises:
            KeyboardInterrupt: SIGTERM, handled at a checkpoint.
        """
        try:
            outcomes = self._tried(session, work)
            if _out_of_memory(outcomes):
                session.say(f"{work.title}: out of GPU memory; it is tried once more, now that this process has freed its own")
                outcomes = self._tried(session, work)
        except RankLost as lost:
            if self.options.raises:
                raise
            session.lose(work, f"{LOST} ({lost})")
            return {}
        outcomes = {**outcomes, **{job.id: _without_memory(job, outcomes[job.id]) for job in work.jobs if job.id in outcomes}}
        session.end(work, outcomes)
        if any(outcome.ended == "stopped" for outcome in outcomes.values()):
            raise KeyboardInterrupt
        return outcomes

    def _tried(self, session: Session, work: Work) -> Mapping[str, Outcome]:
        """Raises RankLost if another process of a stage was lost too often."""
        left = self.launch.retries
        while True:
            try:
                options = replace(self.options, devices=self._devices(session.ledger), reserved=self.reserved(work))
                return perform(work.jobs, partial(session.report, work), options)
            except RankLost as lost:
                if self.options.raises or not left:
                    raise
                left -= 1
                session.say(f"{work.title}: {lost}; it is tried again, a training from its last checkpoint")

    def _devices(self, ledger: Ledger) -> int | None:
        """How many devices a unit of work may use; None: as many as it can. Other processes do not see a store in memory."""
        return self.options.devices if ledger.store.shared else 1

    def check(self, session: Session) -> None:
        """Raises BadInput as ``check_work`` does, and says how many processes a stage takes; one with ``fast``."""
        if self.options.fast:
            return
        self.check_work(session.ledger.store, session.devices, session.usable_devices, session.kinds)
        if (more := max(map(self._taken, session.queue.waiting.values()), default=1) - 1) > 0:
            session.say(f"stages on several devices run in this process and {'up to ' if more > 1 else ''}{more} more")

    def check_work(self, store: Store, devices: int, usable: int, kinds: Collection[str]) -> None:
        """Raises BadInput if a training needs several devices, and there are too few, or their processes share no store."""
        if devices == 1:
            return
        if not store.shared:
            raise BadInput(
                f"launch.store {store.url}: the {devices} processes of compute.devices do not share it; use a folder"
            )
        if self.options.accelerator == "gpu":
            there = self.options.devices
            assert there is not None
            if there < devices:
                raise BadInput(
                    f"{self.launch.said_devices(devices)}, and this machine has {there} GPU; lower it, or set "
                    "launch.resources.gpus to 0 to train on the CPU"
                )

    def where(self) -> str:
        unused = "; launch.stage_resources is not used by executor: local" if self.launch.stage_resources else ""
        unused += "; nothing is reserved, so no memory is measured" if self.launch.measures else ""
        return f"in this process on {device_words(self.options.accelerator)}{unused}"


def visible_gpus(accelerator: str) -> int | None:
    """The number of GPUs that this process sees; None if it uses the CPU, where any number of processes can start."""
    if accelerator != "gpu":
        return None
    import torch

    return torch.cuda.device_count()


def _out_of_memory(outcomes: Mapping[str, Outcome]) -> bool:
    return any(outcome.ended == NO_MEMORY["gpu"] for outcome in outcomes.values())


def _without_memory(job: Job, outcome: Outcome) -> Outcome:
    """Of a stage that ran out of GPU memory: it stays unfinished, and what to do is said."""
    if outcome.ended != NO_MEMORY["gpu"]:
        return outcome
    words = f"{job.label}: {advice('gpu', '', job.configs())} ({outcome.error})"
    return Outcome("failed", f"{words}; if other processes use this GPU, launch again when they have ended")


def _is_shard(work: Work) -> bool:
    """Whether the work is a shard of a detection and nothing else."""
    return all(job.kind == DETECT_SHARD for job in work.jobs)
