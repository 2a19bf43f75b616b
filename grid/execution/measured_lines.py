"""What ``facegrid plan`` says of measured resources: what is known, and what a launch measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from grid.execution.job import accelerator, jobs_of, settings_of
from grid.execution.memory_peak import GIB, Peak
from grid.execution.peaks import Peaks, key_of, measurable
from grid.plan.plan import Plan, store_of
from grid.spec.launch_settings import MEASURED, Launch
from grid.terminal import counted


def measured_lines(plan: Plan) -> list[str]:
    """A line for each amount that was measured, and one for what is measured at launch; none if the grid measures nothing."""
    launch = plan.grid.spec.launch
    without = {"GPU"} if launch.address is None and accelerator() == "cpu" else set[str]()  # nothing of it is measured there
    open_stages = [stage for stage in plan.open if stage.stage in MEASURED and launch.measured(stage.stage) - without]
    if not open_stages:
        return []
    kinds = {stage.id: stage.stage for stage in plan.stages}
    found = jobs_of(open_stages, store_of(plan.grid), kinds, **settings_of(launch))
    jobs = [
        job for job in found.values() if measurable(job) and (job.usable_devices == 1 or "memory" in launch.measured(job.kind))
    ]
    peaks, keys = Peaks(plan.study), {job.id: key_of(job) for job in jobs}
    known, unknown = Counter[str](), Counter[str]()
    for job in jobs:
        peak = peaks.get(keys[job.id], _slot(launch, job.kind))
        if peak is None:
            unknown[keys[job.id]] += 1
        else:
            known[_words(peak, launch.measured(job.kind))] += 1
    lines = [f"{counted(number, 'training')}: {words}" for words, number in known.items()]
    if unknown:
        several = f", once for each of {len(unknown)} kinds" if len(unknown) > 1 else ""
        lines.append(f"{counted(unknown.total(), 'training')}: memory measured at launch{several}")
    return lines


def _slot(launch: Launch, kind: str) -> dict[str, float] | None:
    """Whether such a stage would have a GPU of this machine; None: it runs on other machines."""
    if launch.address is not None:
        return None
    return {"GPU": float(accelerator() == "gpu" and launch.resources_of(kind).gpus != 0)}


def _words(peak: Peak, measured: Collection[str]) -> str:
    parts = [f"{peak.gpu_part:g} GPU"] if "GPU" in measured and peak.gpu else []
    parts += [f"{peak.memory_needed / GIB:.1f} GiB"] if "memory" in measured else []
    verb = "is" if len(parts) == 1 else "are"
    each = " for each device" if peak.several else ""
    return f"took {peak.words}" + (f", so {' and '.join(parts)} {verb} reserved{each}" if parts else "")
