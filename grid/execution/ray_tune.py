"""Ray Tune as the executor: it asks for ready work, places it, and repeats what a lost process was doing.

The ledger decides what is done. A trial runs the jobs of one unit of work in order and passes over finished ones, so a
repeated trial goes on where the lost one was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grid.abort import Aborter
from grid.execution.job import Job, Outcome, RunOptions, accelerator, run
from grid.execution.ray_health import RayHealth
from grid.execution.ray_start import connected
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.scratch import scratch_folder
from grid.execution.tracebacks import error_line
from grid.ledger.ledger import Ledger
from grid.spec.grid_file import Launch
from grid.spec.stage_kind import stage_kind

RAY_PATIENCE = 5.0  # seconds; without its GCS Ray hangs in calls that nothing interrupts, and ends the process after 60
REPORT_SECONDS = 1.0  # at least so long between two live reports of a trial

Watcher = Callable[[Work, Mapping[str, Any]], None]


def execute(
    queue: WorkQueue,
    launch: Launch,
    ledger: Ledger,
    watch: Watcher,
    ended: Callable[[Work], None],
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Runs a board to its end on Ray.

    Args:
        watch: called with live reports of a trial.
        ended: called when work ended, however it did.
        check: called before each unit of work is started; what it raises ends the launch.
        say: called with lines for the user.

    Raises:
        BadInput: Ray cannot be started or reached, or no node has the resources.
        RayLost: the raylet or the GCS ended. Where Ray itself hangs over it, the process ends with the same line and code.
    """
    aborter = Aborter(patience=RAY_PATIENCE)
    with aborter.armed(), scratch_folder() as scratch, connected(launch, say) as resources:
        tuner = _tuner(launch, resources, scratch, _searcher(queue, ledger, ended, check), _callback(queue, watch))
        with RayHealth(aborter.abort, local=launch.address is None):
            tuner.fit()


def _tuner(launch: Launch, resources: dict[str, float], scratch: Path, searcher: Any, callback: Any) -> Any:
    from ray import tune

    return tune.Tuner(
        tune.with_resources(_trial, tune.PlacementGroupFactory([resources])),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=launch.concurrency,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"work_{trial.trial_id}",
            trial_dirname_creator=lambda trial: f"work_{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=launch.retries),
            callbacks=[callback],
            verbose=0,
        ),
    )


def _trial(config: dict[str, Any]) -> None:
    """One unit of work in a worker process."""
    from ray import tune

    last = [0.0]

    def report(row: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - last[0] >= REPORT_SECONDS or "finished_epoch" in row:
            last[0] = now
            tune.report({"stage": job.label, "row": json.dumps(row)})

    outcomes: dict[str, Any] = {}
    dead: set[str] = set()  # stages that failed, and that no more than their scores need
    ledger: Ledger | None = None
    for job in (Job(**one) for one in json.loads(config["jobs"])):
        ledger = ledger or Ledger(job.store)
        if _finished(ledger, job):
            outcomes[job.id] = asdict(Outcome("done"))
            continue
        if dead.intersection(job.needs):
            continue  # what it needs failed just now, and says why
        tune.report({"stage": job.label, "row": "{}"})
        try:
            outcome = run(job, RunOptions(accelerator=accelerator(), report=report))
        except Exception as error:  # outside the stage, such as a full disk: no process was lost, so Tune need not repeat it
            outcome = Outcome("failed", error_line(error))
        outcomes[job.id] = asdict(outcome)
        if outcome.ended != "done":
            if not stage_kind(job.kind).leaf:
                break
            dead.add(job.id)
    tune.report({"outcomes": json.dumps(outcomes)})


def _finished(ledger: Ledger, job: Job) -> bool:
    """Whether the stage has a valid result; a marker that no longer counts is voided."""
    status = ledger.status(job.kind, job.id, ledger.markers(job.needs))
    if not status.valid and status.generation is not None:
        ledger.void(job.kind, job.id, str(status.reason), status.generation)
    return status.valid


def _searcher(queue: WorkQueue, ledger: Ledger, ended: Callable[[Work], None], check: Callable[[], None]) -> Any:
    from ray.tune.search import Searcher

    class Ready(Searcher):  # type: ignore[misc]
        """Suggests ready work, and None while all of it waits for other work."""

        def __init__(self) -> None:
            super().__init__(metric="ended", mode="max")
            self.trials: dict[str, Work] = {}

        def suggest(self, trial_id: str) -> Any:
            if queue.finished:
                return Searcher.FINISHED
            check()
            work = queue.take()
            if work is None:
                return None
            self.trials[trial_id] = work
            return {"id": work.id, "jobs": json.dumps([asdict(job) for job in work.jobs])}  # text: Tune flattens mappings

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            work = self.trials.pop(trial_id, None)
            if work is None or work.id not in queue.running:
                return
            outcomes = {id: _outcome(row) for id, row in json.loads((result or {}).get("outcomes") or "{}").items()}
            if error or not outcomes:
                message = "the process or node that ran it was lost too often"
                for job in work.jobs:
                    if not _finished(ledger, job):
                        ledger.lost(job.kind, job.id, job.identity, message)
                        break
                queue.fail(work, message)
            else:
                queue.end(work.id, outcomes)
            ended(work)

        def __reduce__(self) -> Any:
            return object, ()  # Tune keeps a copy of itself for a restore that never comes

        def save(self, checkpoint_path: str) -> None:
            """Nothing: the ledger is the truth, and no experiment is ever restored."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing, as ``save``."""

    return Ready()


def _outcome(row: Mapping[str, Any]) -> Outcome:
    upstream = row.get("upstream")
    return Outcome(row["ended"], row.get("error"), tuple(upstream) if upstream else None)  # type: ignore[arg-type]


def _callback(queue: WorkQueue, watch: Watcher) -> Any:
    from ray.tune import Callback

    class Watch(Callback):  # type: ignore[misc]
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
            work = queue.running.get(trial.config.get("id"))
            if work and result.get("stage"):
                watch(work, {"stage": result["stage"], "row": json.loads(result["row"])})

        def __reduce__(self) -> Any:
            return object, ()  # as Ready

    return Watch()
