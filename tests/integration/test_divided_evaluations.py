"""Evaluations on several devices, in real processes: the bits of one process, and again when one is lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from launching import Facegrid, Store, grid, here

from datamodules.inference import BATCH
from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read
from grid.stages import shared_inference
from grid.stages.ranks import RankLost

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def two(tree: dict[str, Any]) -> None:
    """One cell, on two devices."""
    del tree["skip"], tree["explainers"], tree["axes"]
    tree["base"]["compute"] = {"devices": 2}


PROTOCOL = {"name": "drawn", "size": 64, "subjects": 20, "shots": 8, "folds": 5, "pairs_per_fold": 60, "flip_test": True}


def the_evaluation(folder: Path) -> tuple[Job, Job]:
    """The finished training of a cell on two devices, and its evaluation on three batches, not run yet."""

    def change(tree: dict[str, Any]) -> None:
        two(tree)
        tree["protocols"] = [PROTOCOL]
        tree["base"] |= {"detector": "none", "pretraining": "none", "recipe": {**tree["base"]["recipe"], "epochs": 1}}

    plan = make_plan(read(grid(folder / "tiny.yaml", change)))
    jobs = jobs_of(plan.stages, store_of(plan.grid))
    kinds = {job.kind: job for job in jobs.values()}
    assert set(kinds) == {"train", "evaluate"}
    assert kinds["evaluate"].usable_devices == 2
    assert kinds["evaluate"].devices == 1, "it can do with one"
    assert run(replace(kinds["train"], ranks=1), RunOptions(raises=True)).ended == "done"
    return kinds["train"], kinds["evaluate"]


def evaluated(job: Job) -> dict[str, bytes]:
    """The outputs of the evaluation."""
    ledger = Store(Path(job.store)).ledger
    marker = ledger.marker(job.kind, job.id)
    assert marker is not None
    return {name: ledger.path(marker, name).read_bytes() for name in marker.outputs}


def test_an_evaluation_on_two_devices_has_the_bits_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, job = the_evaluation(tmp_path)
    said: list[dict[str, Any]] = []
    assert run(job, RunOptions(raises=True, report=said.append)).ended == "done"
    (total,) = {row["total"] for row in said}
    assert 2 * BATCH < total < 3 * BATCH, "so few images are embedded by one process"
    one = evaluated(job)
    ledger = Store(Path(job.store)).ledger
    ledger.void(job.kind, job.id, "to compute it again", 0)
    monkeypatch.setitem(shared_inference.FEWEST, "cpu", 1)
    said.clear()
    seen: set[int] = set()

    def report(row: dict[str, Any]) -> None:
        said.append(row)
        seen.update(one.pid for one in psutil.Process().children() if "helper_process" in " ".join(one.cmdline()))

    assert run(job, RunOptions(raises=True, report=report)).ended == "done"
    assert {row["total"] for row in said} == {2 * BATCH}, "two of three batches are those of the first device"
    assert len(seen) == 1
    assert evaluated(job) == one
    assert "scores.parquet" in one
    assert ledger.attempts(job.kind, job.id) == 2, "the other process began no attempt"


@pytest.mark.slow
def test_a_process_lost_during_an_evaluation_is_no_failure_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(shared_inference.FEWEST, "cpu", 1)
    _, job = the_evaluation(tmp_path)
    infer = shared_inference.infer

    def alone(*args: Any) -> Any:
        """Kills the other process, which has joined, before this one computes: it has not computed its share yet."""
        for one in psutil.Process().children():
            if "helper_process" in " ".join(one.cmdline()):
                one.kill()
        return infer(*args)

    with monkeypatch.context() as patch:
        patch.setattr(shared_inference, "infer", alone)
        with pytest.raises(RankLost, match="rank 1 of 2 was lost"):
            run(job, RunOptions())
    assert Store(Path(job.store)).ledger.failure(job.kind, job.id) is None
    assert run(job, RunOptions()).ended == "done"


@pytest.mark.slow
def test_on_ray_the_devices_of_a_training_and_those_of_an_evaluation_alone_divide_its_images(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        two(tree)
        tree["protocols"] = [PROTOCOL]
        recipe = {**tree["base"]["recipe"], "epochs": 1}
        tree["base"] |= {"detector": "none", "pretraining": "none", "augmentation": "components.divided", "recipe": recipe}

    for name in ("alone", "shared", "shares"):
        (tmp_path / name).mkdir()
    alone, shared = (grid(tmp_path / name / "tiny.yaml", change) for name in ("alone", "shared"))
    here(alone.parent, "launch", alone, "launch.executor=local")

    def launched() -> list[str]:
        """What the processes of an evaluation have said during a launch."""
        options = ("launch", shared, "launch.resources.gpus=0")
        with Facegrid(shared.parent, *options, FACEGRID_TEST_SHARES=str(tmp_path / "shares")) as driver:
            assert driver.wait() == 0, driver.said
        files = list((tmp_path / "shares").iterdir())
        found = sorted(file.read_text() for file in files)
        for file in files:
            file.unlink()
        return found

    both = launched()
    assert [text.split()[0] for text in both] == ["0", "1"]
    assert both[0] == f"0 {2 * BATCH}"
    contents = Store(alone.parent / STUDY / "store").contents()
    assert Store(shared.parent / STUDY / "store").contents() == contents
    shutil.rmtree(shared.parent / STUDY / "store" / "evaluate")
    assert launched() == both, "no training is left that would need both"
    assert Store(shared.parent / STUDY / "store").contents() == contents
