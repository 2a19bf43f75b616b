"""One unit of work, wherever it is carried out: its jobs in order, passing over those that are done.

A repeated unit of work goes on where the lost one was, since the ledger decides what is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from grid.execution.job import Job, Outcome, RunOptions, run
from grid.execution.tracebacks import error_line
from grid.ledger.ledger import Ledger
from grid.spec.stage_kind import stage_kind

Report = Callable[[str, Mapping[str, Any]], None]  # label of a stage, and where it stands; an empty row when it begins


def perform(jobs: Sequence[Job], report: Report, options: RunOptions | None = None) -> dict[str, Outcome]:
    """Runs the jobs of a unit of work in this process.

    Never raises for what went wrong in a stage, unless the options say so.

    Args:
        report: called when a stage begins and while it computes, possibly many times a second.
        options: those of ``run``; their own ``report`` is not used.

    Returns:
        stage id -> how it ended, for the stages that were tried or found done
    """
    options = options or RunOptions()
    outcomes: dict[str, Outcome] = {}
    dead: set[str] = set()  # stages that failed, and that no more than their scores need
    for job in jobs:
        ledger = Ledger(job.store)
        if finished(ledger, job):
            outcomes[job.id] = Outcome("done")
            continue
        if dead.intersection(job.needs):
            continue  # what it needs failed just now, and says why
        report(job.label, {})
        try:
            outcome = run(job, replace(options, report=partial(report, job.label)))
        except Exception as error:  # outside the stage, such as a full disk: no process was lost, so nothing is repeated
            if options.raises:
                raise
            outcome = Outcome("failed", error_line(error))
        outcomes[job.id] = outcome
        if outcome.ended != "done":
            if not stage_kind(job.kind).leaf:
                break
            dead.add(job.id)
    return outcomes


def finished(ledger: Ledger, job: Job) -> bool:
    """Whether the stage has a valid result; a marker that no longer counts is voided."""
    status = ledger.status(job.kind, job.id, ledger.markers(job.needs))
    if not status.valid and status.generation is not None:
        ledger.void(job.kind, job.id, str(status.reason), status.generation)
    return status.valid


def packed_jobs(jobs: Sequence[Job]) -> str:
    """Jobs as text, for a worker in another process."""
    return json.dumps([asdict(job) for job in jobs])


def unpacked_jobs(text: str) -> list[Job]:
    return [Job(**row) for row in json.loads(text)]


def packed_outcomes(outcomes: Mapping[str, Outcome]) -> str:
    """Outcomes as text, for the driver."""
    return json.dumps({id: asdict(outcome) for id, outcome in outcomes.items()})


def unpacked_outcomes(text: str) -> dict[str, Outcome]:
    found = {}
    for id, row in json.loads(text).items():
        upstream = row.get("upstream")
        found[id] = Outcome(row["ended"], row.get("error"), tuple(upstream) if upstream else None)
    return found
