"""Whether the first steps of a training show the GPU memory that all of it takes, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import small
import torch

from grid.execution.job import Job, jobs_of
from grid.execution.memory_peak import GIB, Peak
from grid.execution.memory_process import _held, peak_of
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read

pytestmark = pytest.mark.alone  # what other processes take of the GPU would count
ROOT = Path(__file__).resolve().parents[2]
WHOLE = """
import json, sys
from grid.execution.job import Job, RunOptions, run
from grid.execution.memory_probe import _peak
task = json.load(sys.stdin)
assert run(Job(**task["job"]), RunOptions(accelerator="gpu", raises=True)).ended == "done"
print(_peak("gpu", task["held"]).gpu)
"""
CASES: dict[str, dict[str, Any]] = {
    "resnet34": {"backbone": "resnet34"},
    "with a decoder": {"backbone": "resnet34", "reconstruction": {"decoder": {"name": "unet"}}},
    "bfloat16": {"backbone": "iresnet", "compute": {"precision": "bf16-mixed"}},
    "triplets": {"backbone": "mobilefacenet", "loss": "triplet", "batches": {"name": "pk", "images": 4}},
}
SEVERAL: dict[str, dict[str, Any]] = {
    "two devices": {"compute": {"devices": 2}},
    "two devices, shared classes": {"compute": {"devices": 2, "classes": "shared", "batch_norm": "synchronized"}},
}


def training(folder: Path, **base: Any) -> Job:
    """A training with batches of 64 at 112 pixels."""
    data = {"name": "drawn", "subjects": 40, "shots": 10, "size": 112}
    recipe = {"name": "one_cycle", "lr": 0.001, "batch_size": 64, "epochs": 2}
    base = {"data": data, "input": {"size": 112}, "recipe": recipe, **base}
    launch = {"study": str(folder / "study")}
    grid = read(small.write(folder / "grid.yaml", base, axes={}, launch=launch, protocols=[], explainers=[]))
    (job,) = jobs_of([one for one in make_plan(grid).stages if one.stage == "train"], store_of(grid)).values()
    return job


def measured(job: Job) -> Peak:
    found = peak_of(job, 1.0)
    assert isinstance(found, Peak), found
    assert found.device == torch.cuda.get_device_name()
    assert found.gpu_total == torch.cuda.mem_get_info()[1]
    return found


@pytest.mark.parametrize("title", CASES)
def test_a_training_takes_no_more_than_is_reserved(cuda: str, tmp_path: Path, title: str) -> None:
    job = training(tmp_path, **CASES[title])
    found = measured(job)
    command, task = [sys.executable, "-c", WHOLE], json.dumps({"job": asdict(job), "held": _held()})
    done = subprocess.run(command, input=task, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    taken = int(done.stdout.split()[-1])
    print(f"{title}: {found.words} measured, {taken / GIB:.2f} GiB of the GPU taken, {taken / found.gpu:.2f} times")
    assert taken <= found.gpu_part * found.gpu_total
    assert 0.8 * found.gpu <= taken <= 1.2 * found.gpu


@pytest.mark.parametrize("title", SEVERAL)
def test_a_rank_is_measured_without_the_others(cuda: str, tmp_path: Path, title: str) -> None:
    one = measured(training(tmp_path, backbone="resnet34", loss="arcface"))
    (tmp_path / "ranks").mkdir()
    found = measured(training(tmp_path / "ranks", backbone="resnet34", loss="arcface", **SEVERAL[title]))
    print(f"{title}: {found.words}; alone {one.words}")
    assert found.several
    assert found.gpu_part == 1
    assert 0.3 * one.gpu < found.gpu < 1.1 * one.gpu, "half of the batch"
