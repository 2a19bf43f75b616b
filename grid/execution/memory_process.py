"""Measures the memory of a training in a new process, so that nothing that ran before counts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.child_process import conversation, how_ended, kill, start
from grid.execution.job import Job, accelerator, device_name
from grid.execution.memory_peak import Peak
from grid.execution.memory_probe import measured_peak
from grid.execution.out_of_memory import free_gpu_memory
from grid.tracebacks import error_line

PATIENCE = 10.0  # seconds that NVIDIA's tool may take


def peak_of(job: Job, cpus: float | None, began: Callable[[str], None] = lambda device: None) -> Peak | str:
    """What a training takes on the device that this process sees; or why it was not measured, on one line.

    The new process ends with this one.

    Args:
        cpus: that the training will have; None: not known
        began: called with the device, as in claims, before the training is built
    """
    free_gpu_memory()
    process = start("grid.execution.memory_process", {"job": asdict(job), "cpus": cpus, "held": _held()})
    try:
        assert process.stdout is not None
        found = None
        for line in process.stdout:
            value = json.loads(line)
            if "device_of_claim" in value:
                began(value["device_of_claim"])
            else:
                found = value
        code = process.wait()
    finally:
        kill(process)
    if found is None:
        return f"its process was lost ({how_ended(code)})"
    return str(found["error"]) if "error" in found else Peak.of(found)


def _held() -> int:
    """Bytes of the GPU that are in use without the new process: this one's own context, and what others hold; 0 if unknown."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return _used()
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def _used() -> int:
    """Bytes in use on the first GPU that this process sees, without a context of its own; 0 if NVIDIA's tool does not say."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen == "":
        return 0
    which = ["-i", seen.split(",")[0]] if seen else []
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", *which]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        return int(said.split()[0]) << 20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


def main(task: Mapping[str, Any]) -> None:
    """In the new process: writes the device, and then the peak or the error, to stdout, as JSON."""
    say, _ = conversation()
    say(answer(task, lambda device: say({"device_of_claim": device})))
    os._exit(0)


def answer(task: Mapping[str, Any], began: Callable[[str], None] = lambda device: None) -> dict[str, Any]:
    """The peak as JSON, or ``error``; ``began`` is called with the device before."""
    try:
        began(device_name(accelerator()))
        return measured_peak(Job(**task["job"]), accelerator(), task["cpus"], task["held"]).record()
    except Exception as error:  # one of the training's own: the training itself will say so
        return {"error": error_line(error)}
