"""Helpers of a stage on several devices as processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from grid.stages.ranks import Helpers, Report, Team

# A line on stdin has the path and the task. Nothing may be imported before the path is set.
_PROGRAM = """
import json, sys
task = json.loads(sys.stdin.readline())
sys.path[:] = task["path"]
from grid.execution.helper_process import main
main(task["task"])
"""


class LocalHelpers(Helpers):
    """With GPUs, rank r has the r-th of those that this process sees."""

    def host(self) -> str:
        return "127.0.0.1"

    def start(self, tasks: Sequence[Mapping[str, Any]]) -> Team:
        return _Processes(tasks)


class _Processes(Team):
    def __init__(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._ended: dict[int, Report | None] = {}
        try:
            for task in tasks:
                self._start(task)
        except BaseException:
            self.stop()
            raise

    def _start(self, task: Mapping[str, Any]) -> None:
        rank = task["helper"]["rank"]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **gpu_of(rank, task["accelerator"])},
            start_new_session=True,  # Ctrl-C reaches rank 0, which decides for all
            text=True,
        )
        self._processes[rank] = process
        assert process.stdin is not None
        process.stdin.write(json.dumps({"path": sys.path, "task": task}) + "\n")
        process.stdin.flush()  # and left open: the helper ends with this process

    def ended(self) -> Mapping[int, Report | None]:
        for rank, process in self._processes.items():
            if rank not in self._ended and process.poll() is not None:
                assert process.stdout is not None
                said = process.stdout.read()
                self._ended[rank] = Report(**json.loads(said)) if said and process.returncode == 0 else None
        return self._ended

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:  # it died before it read its task
                        continue


def gpu_of(rank: int, accelerator: str) -> dict[str, str]:
    """The environment variable that shows a helper its GPU only; none on a CPU."""
    if accelerator != "gpu":
        return {}
    import torch

    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    places = seen.split(",") if seen else [str(place) for place in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": places[rank]}
