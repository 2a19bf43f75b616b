"""Helpers of a stage on several devices as processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from grid.execution.child_process import how_ended, kill, kill_session, start
from grid.stages.ranks import Helpers, Report, Team


class LocalHelpers(Helpers):
    """With GPUs, rank r has the r-th of those that this process sees."""

    def host(self) -> str:
        return "127.0.0.1"

    def start(self, tasks: Sequence[Mapping[str, Any]]) -> Team:
        return _Processes(tasks)


class _Processes(Team):
    def __init__(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._said: dict[int, str] = {}  # what a helper has written, once it has closed its stdout
        self._ended: dict[int, Report] = {}
        try:
            for task in tasks:  # Ctrl-C reaches rank 0, which decides for all
                rank = task["helper"]["rank"]
                process = start("grid.execution.helper_process", task, gpu_of(rank, task["accelerator"]))
                self._processes[rank] = process
                assert process.stdout is not None
                pipe = os.dup(process.stdout.fileno())  # a copy, so that ``stop`` does not wait for its reader
                threading.Thread(target=self._read, args=(rank, pipe), daemon=True).start()
        except BaseException:
            self.stop()
            raise

    def _read(self, rank: int, pipe: int) -> None:
        """Reads while the helper writes: it could not end with a report that is longer than the pipe is."""
        with open(pipe, encoding="utf-8") as file:
            self._said[rank] = file.read()

    def ended(self) -> Mapping[int, Report]:
        for rank, process in self._processes.items():
            if rank in self._ended or (code := process.poll()) is None:
                continue
            said = self._said.get(rank) if code == 0 else ""
            if said is not None:
                self._ended[rank] = Report(**json.loads(said)) if said else Report(how_ended(code), lost=True)
        return self._ended

    def stop(self) -> None:
        for process in self._processes.values():
            kill_session(process)  # all of them before the first wait
        for process in self._processes.values():
            kill(process)


def gpu_of(rank: int, accelerator: str) -> dict[str, str]:
    """The environment variable that shows a helper its GPU only; none on a CPU."""
    if accelerator != "gpu":
        return {}
    import torch

    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    places = seen.split(",") if seen else [str(place) for place in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": places[rank]}
