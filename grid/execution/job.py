"""One node in this process: the same path for a Ray worker and for ``debug``.

A trial never raises for what went wrong in a stage: it records it in the ledger and says how it ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from configs.component import Config
from grid.execution.tracebacks import error_line
from grid.ledger.ledger import Damaged, Fenced, Ledger, Marker
from grid.plan.code_version import source_digest
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import PlannedStage
from grid.spec.stage_kind import Stage, stage_kind
from grid.spec.training import Training

FULL = (errno.ENOSPC, errno.EDQUOT)
LEAST_FREE = 1 << 20  # bytes; torch does not say why a file could not be written
Ended = Literal["done", "failed", "stopped", "damaged", "fenced"]


@dataclass(frozen=True)
class Job:
    """A node as a worker gets it: contents, not objects of the driver."""

    kind: str
    id: str
    label: str
    needs: Mapping[str, str]  # id of the upstream stage -> kind
    identity: Any
    config: Mapping[str, Any]  # as JSON
    source: str  # digest of the driver's code
    store: str
    workers: int = 0
    crop_cache_bytes: int = 8 << 30
    checkpoint_minutes: float = 10.0

    @classmethod
    def of(cls, stage: PlannedStage, kinds: Mapping[str, str], store: Path | str, **settings: Any) -> Job:
        """``kinds`` maps ids to kinds."""
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
            **settings,
        )

    def configs(self) -> dict[str, Config]:
        """The configs, built again."""
        return stage_kind(self.kind).rebuilt(self.config)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    ended: Ended
    error: str | None = None
    upstream: tuple[str, str] | None = None  # kind and id of an input that is damaged


@dataclass(frozen=True)
class RunOptions:
    """What differs between a worker and a debugger."""

    accelerator: str = "cpu"
    report: Callable[[dict[str, Any]], None] = lambda row: None
    stop_requested: Callable[[], bool] = lambda: False
    fast: bool = False
    raises: bool = False  # let errors out, for a debugger


def run(job: Job, options: RunOptions) -> Outcome:
    """Computes one node and leaves it in the ledger, whatever happens."""
    from grid.stages.context import Context

    ledger = Ledger(job.store)
    try:
        configs = job.configs()
    except ValueError as error:  # such as a component of the user's own package that only the driver can import
        return Outcome("failed", f"this worker cannot read the driver's cell ({error_line(error)}); give both the same code")
    here = source_digest(job.kind, configs.values())
    if here != job.source:
        return Outcome("failed", "this worker has other sources than the driver; give both the same checkout")
    inputs: list[Marker] = []
    for id, kind in job.needs.items():
        marker = ledger.marker(kind, id)
        damage = "its marker is gone" if marker is None else ledger.damage(marker, digests=True)
        if marker is None or damage:
            if marker is not None:
                ledger.void(kind, id, str(damage), marker.generation)
            return Outcome("damaged", f"{kind} {id[:12]}: {damage}", (kind, id))
        inputs.append(marker)
    upstream = {marker.id: marker.content for marker in inputs}
    attempt = ledger.begin(job.kind, job.id, job.identity, here, upstream)
    context = Context(
        ledger=ledger,
        attempt=attempt,
        resolver=InputResolver(job.store),
        inputs={marker.kind: marker for marker in inputs},
        detected=tuple(marker for marker in inputs if marker.kind == "detect"),
        accelerator=options.accelerator,
        workers=job.workers,
        crop_cache_bytes=job.crop_cache_bytes,
        checkpoint_minutes=job.checkpoint_minutes,
        report=options.report,
        stop_requested=options.stop_requested,
        fast=options.fast,
    )
    from modules.training.checkpointing import Stopped

    try:
        with fresh_process_state(configs):
            result = stage_kind(job.kind).run(configs, context)
        attempt.finish(result.facts, upstream, here, result.outputs)
        return Outcome("done")
    except Stopped as stopped:
        return Outcome("stopped", str(stopped))
    except Fenced as fenced:
        return Outcome("fenced", str(fenced))
    except Exception as error:
        line = error_line(error)
        if out_of_space(error, attempt.path):  # nothing is wrong with the stage: it is unfinished, not failed
            if options.raises:
                raise
            return Outcome("failed", f"no space left in {job.store} ({line}); free some and launch again")
        with contextlib.suppress(Fenced):
            attempt.check()
            attempt.fail(line, traceback.format_exc(), deterministic=not isinstance(error, (Blocked, Damaged)))
        if options.raises:
            raise
        return Outcome("failed", line)
    finally:
        attempt.close()


def out_of_space(error: BaseException, store: Path) -> bool:
    """Whether an error comes from a full disk or quota; libraries that write files wrap it in errors of their own."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(os.strerror(number).lower() in str(cause).lower() for number in FULL):
            return True
        cause = cause.__cause__ or cause.__context__
    try:
        return shutil.disk_usage(store).free < LEAST_FREE
    except OSError:
        return False


@contextlib.contextmanager
def fresh_process_state(configs: Mapping[str, Config]) -> Iterator[None]:
    """A reused worker computes as a fresh one: seeds, threads and modes are set before, and put back after."""
    import cv2
    import numpy as np
    import torch

    from modules.training.determinism import unfilled

    training = configs.get("training")
    compute = training.compute if isinstance(training, Training) else None
    seed = training.seed if isinstance(training, Training) else 0
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    dtype = torch.get_default_dtype()
    modes = torch.are_deterministic_algorithms_enabled()
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code may still draw from it
        torch.manual_seed(seed)
        torch.set_num_threads(compute.threads if compute else 1)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(True)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic cuBLAS asks for
        cv2.setNumThreads(1)
        with unfilled():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(modes)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def jobs_of(
    stages: Mapping[str, PlannedStage], store: Path | str, known: Mapping[str, str] | None = None, **settings: Any
) -> dict[str, Job]:
    """The jobs of a plan's stages, by id; ``known`` maps ids of finished stages that are not among them to their kinds."""
    kinds = {**(known or {}), **{id: stage.stage for id, stage in stages.items()}}
    return {id: Job.of(stage, kinds, store, **settings) for id, stage in stages.items()}


def in_store(job: Job, store: Path | str) -> Job:
    """The same job over another ledger."""
    return replace(job, store=str(store))


def accelerator() -> str:
    """ "gpu" where this process sees one, else "cpu"."""
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def device_words() -> str:
    """The device that ``accelerator`` names, for people."""
    import torch

    return f"a GPU ({torch.cuda.get_device_name()})" if accelerator() == "gpu" else "the CPU"
