"""The lifecycle of a job: begin (verify inputs, claim an attempt), compute the stage, commit its result.

Errors in a stage are recorded in the ledger and returned, not raised.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from configs.component import Config
from grid.execution.environment import environment
from grid.execution.local_helpers import LocalHelpers
from grid.execution.out_of_memory import advice, exhausted, free_gpu_memory, loader_lost
from grid.execution.process_state import fresh_process_state
from grid.execution.slots import Memory
from grid.execution.stage_log import logged
from grid.execution.system_metrics import sampled
from grid.ledger.attempt_times import CPU
from grid.ledger.ledger import Attempt, Damaged, Fenced, Ledger, Marker
from grid.ledger.lock import Held, Lock
from grid.ledger.storage_errors import out_of_space, store_failed
from grid.plan.code_version import source_digest
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import PlannedStage
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import Stage, stage_kind
from grid.spec.stage_name import DETECT, SHOWN_ID
from grid.stages.ranks import Helper, Helpers, RankLost, Team
from grid.tracebacks import error_line

POLL = 1.0  # seconds between two looks at a stage that another process computes
WAIT = 5.0  # seconds for it until other work is tried first
Ended = Literal[
    "done", "failed", "stopped", "damaged", "fenced", "busy", "rescaled", "released", "no_gpu_memory", "no_host_memory"
]
NO_MEMORY: dict[Memory, Ended] = {"gpu": "no_gpu_memory", "host": "no_host_memory"}


@dataclass(frozen=True)
class Job:
    """A node in the form sent to a worker: plain data, no driver objects."""

    kind: str
    id: str
    label: str
    needs: Mapping[str, str]  # id of the upstream stage -> kind
    identity: Any
    config: Mapping[str, Any]  # as JSON
    source: str  # digest of the driver's code
    store: str
    workers: int | Literal["auto"] = 0
    crop_cache_bytes: int = 8 << 30
    checkpoint_minutes: float = 10.0
    inputs: Mapping[str, str] = field(default_factory=dict)  # name -> id of the upstream stage, see ``Stage.inputs``
    ranks: int | None = None  # processes of a training with compute.devices above 1; None: that many
    fewest: int | None = None  # that such a training can do with where there is no room for all; None: it needs all
    study: str = ""  # id of the study that computes it, for its spending
    launch: str = ""  # token of the launch or worker that computes it, to tell its attempts from those of others
    workload: Mapping[str, Any] = field(default_factory=dict)  # see ``grid.plan.workload.Workload``

    @classmethod
    def of(cls, stage: PlannedStage, kinds: Mapping[str, str], store: Path | str, **settings: Any) -> Job:
        """``kinds`` maps stage ids to kinds."""
        node: Stage = stage.node
        return cls(
            kind=node.kind,
            id=node.id,
            label=node.label,
            needs={need: kinds[need] for need in node.needs},
            identity=node.identity,
            config={name: part.model_dump(mode="json") for name, part in node.config.items()},
            source=stage.source,
            store=str(store),
            inputs=dict(node.inputs),
            **settings,
        )

    @property
    def devices(self) -> int:
        """The number of devices that it needs at once: all for a training, unless ``fewest`` says otherwise, else one."""
        return min(self._most, self.fewest or self._most) if stage_kind(self.kind).epochs else 1

    @property
    def usable_devices(self) -> int:
        """The number of devices that it can use at once; without those above ``devices`` it takes longer."""
        return self._most if stage_kind(self.kind).epochs or stage_kind(self.kind).divisible else 1

    def taken_devices(self, reserved: int | None) -> int:
        """The number of devices that it takes of those reserved for its unit of work; None: as many as it can use."""
        return max(self.devices, min(self.usable_devices, reserved or self.usable_devices))

    def counted_devices(self, options: RunOptions) -> dict[str, int]:
        """For its claim, of a training of a cell on several devices: how many it takes, and how many the cell says."""
        if not stage_kind(self.kind).epochs or self._of_cell == 1:
            return {}
        return {"devices": 1 if options.fast else self.taken_devices(options.devices), "cell_devices": self._of_cell}

    @property
    def _most(self) -> int:
        return self._of_cell if self._of_cell == 1 else self.ranks or self._of_cell

    @property
    def _of_cell(self) -> int:
        return int(self._compute.get("devices", 1))

    @property
    def _compute(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config.get("training", {}).get("compute", {})
        return found

    @property
    def tf32(self) -> bool:
        """Whether it may use TF32: only a training may."""
        return stage_kind(self.kind).epochs and bool(self._compute.get("tf32", False))

    def configs(self) -> dict[str, Config]:
        """The configs, rebuilt from JSON."""
        return stage_kind(self.kind).rebuilt(self.config)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    ended: Ended
    error: str | None = None
    upstream: tuple[str, str] | None = None  # kind and id of the damaged input
    elsewhere: bool = False  # done, and computed by another launch or worker


@dataclass(frozen=True)
class RunOptions:
    """Options that differ between a worker and a debugger."""

    accelerator: str = "cpu"
    report: Callable[[dict[str, Any]], None] = lambda row: None
    fast: bool = False
    raises: bool = False  # let exceptions propagate, for a debugger
    wait: float = WAIT  # seconds for a stage that another process computes; then the outcome is "busy"
    helpers: Helpers = field(default_factory=LocalHelpers)  # starts the other ranks of a stage on several devices
    slot: str = ""  # the resources that are reserved for this process, in words
    devices: int | None = None  # that are reserved for this unit of work; None: as many as it can use
    reserved: Mapping[str, float] | None = None  # CPUs and GPUs of this unit of work, all its devices together; None: unknown
    larger: frozenset[Memory] = frozenset()  # of these a larger slot is left, so running out of them is no failure


@dataclass(frozen=True)
class Begun:
    """A job with verified inputs and a claimed attempt, ready to compute and commit."""

    job: Job
    configs: Mapping[str, Config]
    inputs: Sequence[Marker]
    attempt: Attempt

    def context(self, options: RunOptions) -> Any:
        """The context passed to the stage's ``run``, see ``grid.stages.context.Context``."""
        from datamodules.loader_workers import loader_workers
        from grid.stages.context import Context

        markers = {marker.id: marker for marker in self.inputs}
        devices = self.job.taken_devices(options.devices)
        return Context(
            ledger=self.attempt.ledger,
            attempt=self.attempt,
            resolver=InputResolver(self.job.store),
            inputs={name: markers[id] for name, id in self.job.inputs.items()},
            detected=tuple(marker for marker in self.inputs if marker.kind == DETECT),
            accelerator=options.accelerator,
            workers=loader_workers(self.job.workers, options.accelerator, devices),
            measures_loader=self.job.workers == "auto" and options.accelerator == "gpu",
            cpus=(options.reserved or {}).get(CPU),
            crop_cache_bytes=self.job.crop_cache_bytes,
            checkpoint_minutes=self.job.checkpoint_minutes,
            devices=devices,
            leaving=self.attempt.rescale_asked if devices < self.job.usable_devices else None,
            report=options.report,
            fast=options.fast,
            host=options.helpers.host,
            start_helpers=lambda helpers: self._start(helpers, options),
        )

    def _start(self, helpers: Sequence[Helper], options: RunOptions) -> Team:
        """Starts the other ranks of this job, see ``grid.execution.helper``."""
        attempt = {"number": self.attempt.number, "token": self.attempt.token}
        shared = {"job": asdict(self.job), "attempt": attempt, "accelerator": options.accelerator}
        return options.helpers.start([{**shared, "helper": asdict(helper)} for helper in helpers])

    def commit(self, result: Any, options: RunOptions) -> Outcome:
        """Commits the result (``grid.stages.context.Result``) to the ledger, with the environment that computed it.

        Raises:
            Fenced: a newer attempt has taken over.
        """
        found = environment(options.accelerator, tf32=self.job.tf32)
        if counted := self.job.counted_devices(options):
            found["devices"] = counted["devices"]
        self.attempt.finish(result.facts, self.attempt.inputs, self.attempt.source, result.outputs, found)
        return Outcome("done")

    def fail(self, error: Exception, options: RunOptions) -> Outcome:
        """Records an error of the stage. No failures are a full disk, a store that fails, and memory while a slot can grow."""
        line = error_line(error)
        memory = exhausted(error)
        if memory is not None and memory in options.larger:
            return Outcome(NO_MEMORY[memory], line)
        if memory is not None:
            line = f"{advice(memory, options.slot, self.configs)} ({line})"
        if out_of_space(error, self.attempt.path):  # the stage itself is not at fault: it is unfinished, not failed
            line = re.sub(rf"{re.escape(self.job.store)}/[^\s'\"]+", "a file there", line)  # so that all cells say the same
            return Outcome("failed", f"no space left in {self.job.store} ({line}); free some and launch again")
        if store_failed(error):
            return Outcome("failed", f"{self.job.store} cannot be read or written ({line}); launch again when it can")
        with contextlib.suppress(Fenced):
            self.attempt.check()
            deterministic = memory is None and not isinstance(error, (Blocked, Damaged))
            self.attempt.fail(line, traceback.format_exc(), deterministic)
        return Outcome("failed", line)


def begin(job: Job, options: RunOptions = RunOptions()) -> Begun | Outcome:
    """Verifies the code and inputs of a job and claims its next attempt; returns an Outcome if the job cannot begin."""
    ledger = Ledger(job.store)
    try:
        configs = job.configs()
    except ValueError as error:  # for example, a component in the user's package that only the driver can import
        return Outcome("failed", f"this worker cannot read the driver's cell ({error_line(error)}); give both the same code")
    if source_digest(job.kind, configs.values()) != job.source:
        return Outcome("failed", "this worker's code differs from the driver's; give both the same checkout")
    inputs: list[Marker] = []
    for id, kind in job.needs.items():
        marker = ledger.marker(kind, id)
        damage = "its marker is gone" if marker is None else ledger.damage(marker, digests=True)
        if marker is None or damage:
            if marker is not None:
                ledger.void(kind, id, str(damage), marker.generation)
            return Outcome("damaged", f"{kind} {id[:SHOWN_ID]}: {damage}", (kind, id))
        inputs.append(marker)
    contents = {marker.id: marker.content for marker in inputs}
    about: dict[str, Any] = {"study": job.study, "launch": job.launch, "workload": dict(job.workload)}
    about["reserved"] = dict(options.reserved or {})
    about = {key: value for key, value in about.items() if value} | job.counted_devices(options)
    device = device_name(options.accelerator)
    return Begun(job, configs, inputs, ledger.begin(job.kind, job.id, job.identity, job.source, contents, device, about))


def run(job: Job, options: RunOptions) -> Outcome:
    """Begins, computes and commits one job in this process, under the lease of its stage.

    What another process computes meanwhile is not computed again: its result or failure is the outcome. Errors in the stage are
    recorded in the ledger.

    Raises:
        RankLost: another process of the stage was lost, of a further device or of the loader; the next attempt of a training
            resumes from its last checkpoint.
    """
    ledger = Ledger(job.store)
    waited = 0.0
    while True:
        try:
            with Lock(ledger.store, job.label, prefix=lease_of(job), what=f"{job.kind} {job.id[:SHOWN_ID]}"):
                found = _elsewhere(ledger, job, failed=not options.raises) or _run(job, options)
            if found.ended != "done":
                free_gpu_memory()  # only now: the exception held what the stage had allocated
            return found
        except Held as held:
            if waited >= options.wait:
                return Outcome("busy", str(held))
            if not waited:
                options.report({"waiting": f"waits for what another process computes: {held.holder}"})
            waited += POLL
            time.sleep(POLL)


def lease_of(job: Job) -> str:
    """Where the lease of the job's stage lies in the store."""
    return f"{job.kind}/{job.id}/lease"


def _elsewhere(ledger: Ledger, job: Job, failed: bool) -> Outcome | None:
    """How the stage ended in another process since this one looked; None if it has to be computed.

    Args:
        failed: whether a failure counts, too; a debugger tries again
    """
    if ledger.status(job.kind, job.id, ledger.markers(job.needs)).valid:
        return found_done(ledger, job)
    failure = ledger.failure(job.kind, job.id) if failed else None
    return Outcome("failed", failure.error) if failure else None


def found_done(ledger: Ledger, job: Job) -> Outcome:
    """The outcome of a stage whose valid result was there already: of an earlier attempt of this launch, or of another one."""
    marker = ledger.marker(job.kind, job.id)
    launches = {claim["folder"]: claim.get("launch", "") for claim in ledger.claims(job.kind, job.id)}
    return Outcome("done", elsewhere=marker is not None and launches.get(marker.attempt) != job.launch)


def _run(job: Job, options: RunOptions) -> Outcome:
    from grid.stages.context import checked_result
    from modules.training.stopped import Stopped

    begun = begin(job, options)
    if isinstance(begun, Outcome):
        return begun
    try:
        with fresh_process_state(begun.configs), logged(begun.attempt) as log, sampled(begun.attempt, options.accelerator):
            try:
                found = stage_kind(job.kind).run(begun.configs, begun.context(options))
            except Exception as error:
                lost = loader_lost(error)
                if lost is not None or exhausted(error) is not None:  # no failure if a larger slot is left
                    log.write("warning", "facegrid", error_line(error))
                if lost is not None:
                    raise RankLost(lost) from error
                raise
        return begun.commit(checked_result(found, job.kind, begun.attempt.path), options)
    except Stopped as stopped:  # the process received SIGTERM, or there is room for more devices
        if begun.attempt.rescale_asked():
            begun.attempt.rescaled()
            return Outcome("rescaled", str(stopped))
        return Outcome("stopped", str(stopped))
    except Fenced as fenced:
        return Outcome("fenced", str(fenced))
    except RankLost:  # no failure of the stage: the executor tries again, from the last checkpoint
        raise
    except Exception as error:
        outcome = begun.fail(error, options)
        if options.raises:
            raise
        return outcome
    finally:
        begun.attempt.close()


def jobs_of(
    stages: Sequence[PlannedStage], store: Path | str, known: Mapping[str, str] | None = None, **settings: Any
) -> dict[str, Job]:
    """The jobs of a plan's stages, by id; ``known`` maps the ids of finished stages outside the plan to their kinds."""
    kinds = {**(known or {}), **{stage.id: stage.stage for stage in stages}}
    return {stage.id: Job.of(stage, kinds, store, **settings) for stage in stages}


def settings_of(launch: Launch) -> dict[str, Any]:
    """What jobs take from the section ``launch`` of a grid file, as arguments of ``jobs_of``."""
    return {
        "workers": launch.workers,
        "crop_cache_bytes": int(launch.crop_cache_gib * 2**30),
        "checkpoint_minutes": launch.checkpoint_minutes,
        "ranks": launch.ranks,
        "fewest": launch.fewest_devices,
    }


def accelerator() -> str:
    """ "gpu" if this process sees a GPU, else "cpu"."""
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def device_name(accelerator: str) -> str:
    """The device of this process in a claim: "cpu", or the number and name of its GPU."""
    import torch

    if accelerator != "gpu":
        return "cpu"
    number = os.environ.get("CUDA_VISIBLE_DEVICES") or "0"
    return f"gpu {number} ({torch.cuda.get_device_name()})"


def device_words(accelerator: str) -> str:
    """The printed name of a device; ``accelerator`` is "gpu" or "cpu"."""
    import torch

    return f"a GPU ({torch.cuda.get_device_name()})" if accelerator == "gpu" else "the CPU"
