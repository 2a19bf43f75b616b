"""Performs one unit of work: its jobs in order, skipping those that are done.

The ledger records what is done, so a retried unit of work resumes where the lost one stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from grid.execution.job import Job, Outcome, RunOptions, found_done, run
from grid.ledger.ledger import Ledger
from grid.ledger.scratch import own_temporary_files
from grid.spec.stage_kind import stage_kind
from grid.stages.ranks import RankLost
from grid.tracebacks import error_line

ENDED_EARLY = ("stopped", "rescaled")  # this process is to end, or its work is to go on with more devices
Report = Callable[[str, Mapping[str, Any]], None]  # stage label and progress; the row is empty when the stage begins


def perform(jobs: Sequence[Job], report: Report, options: RunOptions | None = None) -> dict[str, Outcome]:
    """Runs the jobs of a unit of work in this process.

    Errors in a stage are not raised, unless the options say so.

    Args:
        report: called when a stage begins and while it computes, possibly many times a second.
        options: passed to ``run``, except for their ``report``, which is replaced.

    Raises:
        RankLost: another process of a stage was lost; performing the same jobs again resumes it.
        KeyboardInterrupt: this process was interrupted.

    Returns:
        stage id -> outcome, for the stages that were run or found done
    """
    options = options or RunOptions()
    outcomes: dict[str, Outcome] = {}
    dead: set[str] = set()  # failed stages that only their scores depend on
    for job in jobs:
        ledger = Ledger(job.store)
        if finished(ledger, job):
            outcomes[job.id] = found_done(ledger, job)
            continue
        if dead.intersection(job.needs):
            continue  # a stage it depends on has just failed and reports the error
        report(job.label, {})
        try:
            with own_temporary_files():
                outcome = run(job, replace(options, report=partial(report, job.label)))
        except RankLost:
            raise
        except SystemExit as ended:
            if isinstance(ended.__context__, KeyboardInterrupt):  # in a training, Lightning makes an exit with code 1 of it
                raise KeyboardInterrupt from None
            raise
        except Exception as error:  # an error outside the stage, such as a full disk: no process was lost, so there is no retry
            if options.raises:
                raise
            outcome = Outcome("failed", error_line(error))
        outcomes[job.id] = outcome
        if outcome.ended != "done":
            if not stage_kind(job.kind).leaf or outcome.ended in ENDED_EARLY:
                break
            dead.add(job.id)
    return outcomes


def finished(ledger: Ledger, job: Job) -> bool:
    """Whether the stage has a valid result; a marker that is no longer valid is voided."""
    status = ledger.status(job.kind, job.id, ledger.markers(job.needs))
    if not status.valid and status.generation is not None:
        ledger.void(job.kind, job.id, str(status.reason), status.generation)
    return status.valid


def devices_of(jobs: Sequence[Job], ledger: Ledger) -> int:
    """The number of devices that the unfinished jobs of a unit of work need at once."""
    return max((job.devices for job in jobs if job.devices > 1 and not finished(ledger, job)), default=1)


def usable_devices_of(jobs: Sequence[Job], ledger: Ledger, room: int) -> int:
    """The number of devices that the unfinished jobs need at once, or can use, where there is room for so many."""
    usable = max((job.usable_devices for job in jobs if job.usable_devices > 1 and not finished(ledger, job)), default=1)
    return max(devices_of(jobs, ledger), min(usable, room))


def unfinished(jobs: Sequence[Job], ledger: Ledger) -> list[Job]:
    """The unfinished jobs of a unit of work; all of them if none is left."""
    return [job for job in jobs if not finished(ledger, job)] or list(jobs)


def packed_jobs(jobs: Sequence[Job]) -> str:
    """Serializes jobs as text for a worker in another process."""
    return json.dumps([asdict(job) for job in jobs])


def unpacked_jobs(text: str) -> list[Job]:
    return [Job(**row) for row in json.loads(text)]


def packed_units(units: Iterable[Sequence[Job]]) -> str:
    """Serializes the jobs of several units of work as text."""
    return json.dumps([[asdict(job) for job in jobs] for jobs in units])


def unpacked_units(text: str) -> list[list[Job]]:
    return [[Job(**row) for row in jobs] for jobs in json.loads(text)]


def packed_outcomes(outcomes: Mapping[str, Outcome]) -> str:
    """Serializes outcomes as text for the driver."""
    return json.dumps({id: asdict(outcome) for id, outcome in outcomes.items()})


def unpacked_outcomes(text: str) -> dict[str, Outcome]:
    rows = json.loads(text).items()
    return {id: Outcome(**{**row, "upstream": row["upstream"] and tuple(row["upstream"])}) for id, row in rows}
