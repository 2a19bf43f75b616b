"""A helper process: one rank above 0 of a stage on several devices, see ``grid.stages.ranks``."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from grid.execution.job import Begun, Job, RunOptions
from grid.execution.process_state import fresh_process_state
from grid.ledger.ledger import Attempt, Ledger
from grid.ledger.scratch import own_temporary_files
from grid.plan.code_version import source_digest
from grid.spec.stage_kind import stage_kind
from grid.stages.ranks import Helper, Report
from grid.tracebacks import error_line


def help_training(task: Mapping[str, Any]) -> Report:
    """Runs the stage as one of its helpers; errors are returned, not raised. Writes nothing to the ledger.

    Args:
        task: made by ``grid.execution.job.Begun``: ``job``, ``attempt``, ``helper``, ``accelerator``
    """
    from modules.training.ranks import is_communication_error
    from modules.training.stopped import Stopped

    try:
        with own_temporary_files():
            _help(Job(**task["job"]), task)
    except Stopped:
        return Report()
    except Exception as error:
        return Report(error_line(error), traceback.format_exc(), is_communication_error(error))
    return Report()


def _help(job: Job, task: Mapping[str, Any]) -> None:
    configs = job.configs()
    if source_digest(job.kind, configs.values()) != job.source:
        raise ValueError("this worker's code differs from the driver's; give both the same checkout")
    ledger = Ledger(job.store)
    markers = [ledger.marker(kind, id) for id, kind in job.needs.items()]
    inputs = [marker for marker in markers if marker is not None]
    contents = {marker.id: marker.content for marker in inputs}
    attempt = Attempt(ledger, job.kind, job.id, source=job.source, inputs=contents, **task["attempt"])
    helper = Helper(**task["helper"])
    options = RunOptions(accelerator=_accelerator(task["accelerator"]), devices=helper.world)
    context = Begun(job, configs, inputs, attempt).context(options)
    context.helper = helper
    with fresh_process_state(configs):
        stage_kind(job.kind).run(configs, context)


def _accelerator(wanted: str) -> str:
    """That of rank 0.

    Raises:
        ValueError: rank 0 has a GPU, and this process sees none.
    """
    import torch

    if wanted == "gpu" and not torch.cuda.is_available():
        raise ValueError("rank 0 of this stage has a GPU, and another rank has none; use nodes of one kind")
    return wanted
