"""Stages of a grid on the device, without Ray: TF32 never leaks in, and memory that runs out is no failure of the stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small
import torch

from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read


def jobs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The stages of one cell, in order: train, evaluate, explain."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    axes = {"rate": {"low": {"recipe.lr": 0.01}}}
    explainers = [{"name": name, "images": 2} for name in ("gradcam", "gradient")]
    file = small.write(folder / "small.yaml", axes=axes, explainers=explainers)
    plan = make_plan(read(file))
    return list(jobs_of(plan.stages, store_of(plan.grid)).values())


def contents(folder: Path, accelerator: str, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Content digest of every stage, run in this process."""
    found = {}
    for job in jobs(folder, monkeypatch):
        outcome = run(job, RunOptions(accelerator=accelerator))
        assert outcome.ended == "done", outcome
        marker = Ledger(job.store).marker(job.kind, job.id)
        assert marker is not None
        found[job.kind, job.id] = marker.content
    return found


def test_a_process_that_allows_tf32_gives_the_same_results(
    accelerator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = contents(tmp_path / "plain", accelerator, monkeypatch)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    allowed = contents(tmp_path / "allowed", accelerator, monkeypatch)
    assert len(plain) >= 4
    assert allowed == plain


def test_memory_that_runs_out_is_no_permanent_failure(cuda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: Any = jobs(tmp_path / "here", monkeypatch)[0]
    ledger = Ledger(first.store)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        ended = run(first, RunOptions(accelerator="gpu", larger=frozenset({"gpu"})))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert ended.ended == "no_gpu_memory", "a larger slot is left"
    assert ledger.marker(first.kind, first.id) is None, "the memory sufficed, so this shows nothing"
    assert ledger.failure(first.kind, first.id) is None
    assert run(first, RunOptions(accelerator="gpu")).ended == "done"
