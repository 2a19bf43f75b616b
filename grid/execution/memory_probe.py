"""Measures the memory of a training: a few steps of it in a fresh process, which writes nothing to the ledger."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from grid.execution.job import Begun, Job, RunOptions
from grid.execution.memory_peak import Peak
from grid.execution.peaks import measurable, probed
from grid.execution.process_state import fresh_process_state
from grid.execution.system_metrics import descendants
from grid.ledger.ledger import Attempt, Ledger
from grid.ledger.scratch import own_temporary_files
from grid.spec.stage_kind import stage_kind
from grid.spec.training import Training

KIB = 1 << 10


def measured_peak(job: Job, device: str, cpus: float | None = None, held: int = 0) -> Peak:
    """Runs the first steps of a training in this process, which should be a fresh one: its own peak is part of the result.

    Of a training on several devices, this process is rank 0 of the fewest that it can do with, and the others are not there.
    Also on one device it has the buckets of gradients of several, if it may take them.

    Args:
        device: "gpu" or "cpu"
        cpus: that the training will have
        held: bytes of the GPU that other processes hold

    Raises:
        ValueError: the job is no training, or has no step.
        Exception: one of the training's own.
    """
    from grid.stages.few_steps import Enough

    job = probed(job)
    configs = job.configs()
    training = configs.get("training")
    if not (measurable(job) and isinstance(training, Training) and training.recipe.trains):
        raise ValueError(f"{job.label} is no training whose memory can be measured")
    ledger = Ledger(job.store)
    inputs = [marker for marker in ledger.markers(job.needs).values() if marker is not None]
    attempt = Attempt(ledger, job.kind, job.id, 0, "measured", job.source)
    options = RunOptions(accelerator=device, reserved=None if cpus is None else {"CPU": cpus}, devices=job.devices)
    context = Begun(job, configs, inputs, attempt).context(options)
    peaks: list[Peak] = []
    context.memory_probe = lambda: peaks.append(_peak(device, held))
    try:
        with own_temporary_files(), fresh_process_state(configs):
            stage_kind(job.kind).run(configs, context)
    except Enough:
        (peak,) = peaks
        return replace(peak, several=job.usable_devices > 1)
    finally:
        attempt.close()
    raise ValueError(f"{job.label} has no step to measure")


def _peak(device: str, held: int) -> Peak:
    memory = _own() + sum(map(_unshared, descendants(os.getpid())))
    if device != "gpu":
        return Peak(memory, 0, 0, "cpu")
    import torch

    torch.cuda.synchronize()
    free, total = torch.cuda.mem_get_info()
    outside = max(0, total - free - torch.cuda.memory_reserved() - held)
    return Peak(memory, torch.cuda.max_memory_reserved() + outside, total, torch.cuda.get_device_name())


def _own() -> int:
    """The largest resident size that this process ever had; Linux counts it by process, ``getrusage`` also that before exec."""
    import resource

    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * KIB
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def _unshared(pid: int) -> int:
    """The bytes that only this process has; 0 if it has ended."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0
