"""Measures the memory of trainings in tasks of Ray, each in a process of its own with the resources of a unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.job import Job
from grid.execution.measurements import Probes
from grid.execution.memory_peak import Peak
from grid.execution.ray_losses import reason_of
from grid.ledger.attempt_times import CPU, GPU


class RayProbes(Probes):
    """Ray ends tasks that still run with the driver."""

    def __init__(self) -> None:
        self._running: dict[str, Any] = {}  # key -> reference to the result

    def start(self, key: str, job: Job, slot: Mapping[str, float]) -> None:
        import ray

        more = dict(slot)
        task = ray.remote(_measure).options(
            num_cpus=more.pop(CPU, 0),
            num_gpus=more.pop(GPU, 0),
            memory=more.pop("memory", None),
            resources=more,
            max_calls=1,  # the process ends with the task, and gives its GPU memory back; its peak is that of this task
            max_retries=0,
        )
        self._running[key] = task.remote({"job": asdict(job), "cpus": slot.get(CPU)})

    def ended(self) -> Mapping[str, Peak | str]:
        import ray

        if not self._running:
            return {}
        keys = {reference: key for key, reference in self._running.items()}
        done, _ = ray.wait(list(keys), num_returns=len(keys), timeout=0)
        found = {}
        for reference in done:
            del self._running[keys[reference]]
            found[keys[reference]] = _result(reference)
        return found


def _result(reference: Any) -> Peak | str:
    import ray

    try:
        found = ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"its process was lost: {reason_of(error) or type(error).__name__}"
    return str(found["error"]) if "error" in found else Peak.of(found)


def _measure(task: dict[str, Any]) -> dict[str, Any]:
    from grid.execution.memory_probe import peak_of_task

    return peak_of_task(task)
