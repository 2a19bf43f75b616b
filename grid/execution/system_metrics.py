"""Samples the machine while a stage is computed: CPU, memory and GPU memory, as lines of the attempt in the ledger."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grid.late_thread import LateThread
from grid.ledger.attempt import Attempt
from grid.ledger.attempt_log import SYSTEM, AttemptLog

SECONDS = 5.0  # between two samples at first
SAMPLES = 120  # after so many, the time between two doubles: a day has fewer than 1000
FLUSH = 30.0  # seconds between two objects in the ledger
MIB = 1 << 20


class Sampler:
    """Takes samples of this process, its children and its machine.

    Args:
        accelerator: "gpu" or "cpu"
    """

    def __init__(self, accelerator: str) -> None:
        import psutil

        self._psutil = psutil
        self.accelerator = accelerator
        self._processes: dict[int, Any] = {}
        self._own = psutil.Process()
        psutil.cpu_percent()  # both measure since the last call
        self._cpu_of_processes()

    def sample(self) -> dict[str, float]:
        """The metrics now, under the names that MLflow has for those of the machine.

        ``cpu_utilization_percentage``, ``system_memory_usage_megabytes`` and ``..._percentage`` are of the machine;
        ``process_cpu_percentage`` (100 is one core) and ``process_memory_usage_megabytes`` (resident, pages shared between
        processes counted in each) of this process and its children; ``gpu_memory_usage_megabytes`` and ``..._percentage`` of
        the GPU that it sees.
        """
        memory = self._psutil.virtual_memory()
        cpu, resident = self._cpu_of_processes()
        found = {
            "cpu_utilization_percentage": self._psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / MIB,
            "system_memory_usage_percentage": memory.percent,
            "process_cpu_percentage": cpu,
            "process_memory_usage_megabytes": resident / MIB,
            **(_gpu_memory() if self.accelerator == "gpu" else {}),
        }
        return {name: round(float(value), 2) for name, value in found.items()}

    def _cpu_of_processes(self) -> tuple[float, int]:
        """Percent of one core since the last call, and resident bytes; processes that end meanwhile are left out."""
        known, self._processes = self._processes, {self._own.pid: self._own}
        for pid in descendants(self._own.pid):
            with contextlib.suppress(self._psutil.Error):
                process = known.get(pid)
                self._processes[pid] = process if process and process.is_running() else self._psutil.Process(pid)
        cpu, resident = 0.0, 0
        for process in self._processes.values():
            try:
                cpu += process.cpu_percent()
                resident += process.memory_info().rss
            except self._psutil.Error:
                continue
        return cpu, resident


def descendants(pid: int) -> list[int]:
    """The ids of the processes that a process has started, and of those that they have.

    Linux lists the children of each thread. Where it does not, psutil looks at every process of the machine, which takes
    longer than all else that is sampled.
    """
    try:
        files = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        files = []
    if not files:
        return _children(pid)
    found = []
    for file in files:
        with contextlib.suppress(OSError):  # the thread has ended
            for child in map(int, file.read_text(encoding="ascii").split()):
                found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _gpu_memory() -> dict[str, float]:
    """Empty before the stage uses the GPU: asking would take memory on it."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        "gpu_memory_usage_megabytes": (total - free) / MIB,
        "gpu_memory_usage_percentage": 100 * (total - free) / total,
    }


@contextlib.contextmanager
def sampled(attempt: Attempt, accelerator: str, seconds: float = SECONDS) -> Iterator[None]:
    """Context manager: samples are written while it is open, and one at its end."""
    sampler, stop = Sampler(accelerator), threading.Event()
    with AttemptLog(attempt.ledger.store, attempt.prefix, FLUSH, SYSTEM) as log:

        def keep() -> None:
            count, pause = 0, seconds
            while not stop.is_set():
                log.write("info", SYSTEM, "", **sampler.sample())
                count += 1
                pause = pause if count % SAMPLES else 2 * pause
                stop.wait(pause)

        thread = LateThread(seconds, keep, "facegrid-system-metrics")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            log.write("info", SYSTEM, "", **sampler.sample())
