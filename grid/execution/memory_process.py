"""Measures the memory of a training in a new process, so that nothing that ran before counts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.child_process import answers, how_ended, kill, on_lines, start
from grid.execution.job import Job, accelerator
from grid.execution.memory_peak import Peak
from grid.execution.memory_probe import measured_peak
from grid.execution.out_of_memory import free_gpu_memory
from grid.tracebacks import error_line


def peak_of(job: Job, cpus: float | None) -> Peak | str:
    """What a training takes on the device that this process sees; or why it was not measured, on one line.

    The new process ends with this one.

    Args:
        cpus: that the training will have; None: not known
    """
    free_gpu_memory()
    process = start("grid.execution.memory_process", {"job": asdict(job), "cpus": cpus, "held": _held()})
    try:
        assert process.stdout is not None
        said = process.stdout.read()
        code = process.wait()
    finally:
        kill(process)
    if not said:
        return f"its process was lost ({how_ended(code)})"
    found = json.loads(said)
    return str(found["error"]) if "error" in found else Peak.of(found)


def _held() -> int:
    """Bytes of the GPU that are in use without the new process, such as for this one's own context; 0 if it has none."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def main(task: Mapping[str, Any]) -> None:
    """In the new process: writes the peak or the error to stdout, as JSON."""
    out = answers()
    threading.Thread(target=on_lines, args=(lambda line: None,), daemon=True).start()
    json.dump(answer(task), out)
    out.flush()
    os._exit(0)  # the thread above waits for input


def answer(task: Mapping[str, Any]) -> dict[str, Any]:
    """The peak as JSON, or ``error``."""
    try:
        return measured_peak(Job(**task["job"]), accelerator(), task["cpus"], task["held"]).record()
    except Exception as error:  # one of the training's own: the training itself will say so
        return {"error": error_line(error)}
