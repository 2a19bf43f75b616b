"""A training is measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from grid.execution import memory_process
from grid.execution.job import Job, jobs_of
from grid.execution.memory_peak import GIB, Peak
from grid.execution.memory_probe import _own
from grid.execution.memory_process import answer, peak_of
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid
from modules.network import Network

SMALL = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}


def training(make: Callable[..., Grid], **more: Any) -> Job:
    grid = make(base={"backbone": SMALL, "input": {"size": 32}, **more})
    stage = next(one for one in make_plan(grid).stages if one.stage == "train" and not one.needs)
    (found,) = jobs_of([stage], store_of(grid)).values()
    return found


@pytest.fixture
def job(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return training(make, recipe={"name": "one_cycle", "lr": 0.01, "batch_size": 4})


@pytest.mark.slow
def test_what_this_process_holds_is_not_in_the_peak(job: Job) -> None:
    torch.ones(1 << 28)  # 1 GiB
    began = list[str]()
    found = peak_of(job, 1.0, began.append)
    assert began == ["cpu"]
    assert isinstance(found, Peak), found
    assert 0.1 * GIB < found.memory < _own() - GIB / 2
    assert found.device == "cpu"


RANK_0 = """
import json, sys
from grid.execution.job import Job, RunOptions, run
from grid.execution.memory_probe import _own
peaks = []
def report(row):
    if row.get("step") and not peaks:  # before a checkpoint is made, as in a measurement
        peaks.append(_own())
assert run(Job(**json.loads(sys.stdin.read())), RunOptions(raises=True, devices=2, report=report)).ended == "done"
print(json.dumps(peaks))
"""
COPY = 4 * 12288 * 4096  # bytes of the weights of the largest layer


@pytest.mark.slow
def test_a_training_that_may_take_more_devices_is_measured_with_the_buckets_of_gradients(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two real processes takes as much as is measured on one device, to within half a copy of the weights."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    layer = {"activation": "linear", "dropout": 0}
    head = {"name": "dense", "dimension": 8, "hidden": [{"width": 12288, **layer}, {"width": 4096, **layer}], **layer}
    recipe = {"name": "one_cycle", "lr": 0.001, "batch_size": 4, "epochs": 1}
    job = training(make, head=head, recipe=recipe, compute={"devices": 2})
    measured = peak_of(replace(job, fewest=1), 1.0)
    alone = peak_of(replace(job, ranks=1), 1.0)
    assert isinstance(measured, Peak), measured
    assert isinstance(alone, Peak), alone
    program = subprocess.run(
        [sys.executable, "-c", RANK_0], input=json.dumps(asdict(job)), capture_output=True, text=True, check=True
    )
    (real,) = json.loads(program.stdout)
    assert abs(measured.memory - real) < COPY / 2
    assert measured.memory - alone.memory > COPY / 2, "one that is never a rank keeps no buckets"


def test_an_error_of_the_training_is_one_line(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("no such loss")

    monkeypatch.setattr(Network, "loss_of", broken)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = answer({"job": asdict(job), "cpus": 1.0, "held": 0})
    assert list(found) == ["error"]
    assert "no such loss" in found["error"]


def test_a_process_that_is_killed_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(module: str, task: Any) -> subprocess.Popen[str]:
        program = 'import os, signal\nprint(\'{"device_of_claim": "cpu"}\', flush=True); os.kill(os.getpid(), signal.SIGKILL)'
        return subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    monkeypatch.setattr(memory_process, "start", killed)
    began = list[str]()
    assert peak_of(job, None, began.append) == "its process was lost (killed by SIGKILL)"
    assert began == ["cpu"]


def test_what_cannot_be_read_is_said(job: Job, tmp_path: Path) -> None:
    found = peak_of(replace(job, config={"training": {**job.config["training"], "backbone": {"name": "none_such"}}}), 1.0)
    assert isinstance(found, str)
    assert "none_such" in found


def tool(folder: Path, answer: str) -> str:
    """A folder with a ``nvidia-smi`` that notes its arguments and runs that line of shell."""
    file = folder / "nvidia-smi"
    file.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{answer}\n')
    file.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("seen", "answer", "found"),
    [
        (None, "echo 512; echo 70000", 512 << 20),  # of the first GPU
        ("GPU-8f3a,1", "echo 20480", 20480 << 20),
        ("0", "echo '[N/A]'", 0),
        ("0", "echo; exit 9", 0),
        ("0", "exit 0", 0),
        ("", "echo 512", 0),  # it sees no GPU
    ],
)
def test_what_others_hold_of_a_gpu_is_asked_of_its_tool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seen: str | None, answer: str, found: int
) -> None:
    monkeypatch.setenv("PATH", f"{tool(tmp_path, answer)}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert memory_process._held() == found
    if seen:
        assert (tmp_path / "asked").read_text().split()[-2:] == ["-i", seen.partition(",")[0]]
    elif seen is None:
        assert "-i" not in (tmp_path / "asked").read_text()


def test_without_that_tool_nothing_is_known_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert memory_process._held() == 0
