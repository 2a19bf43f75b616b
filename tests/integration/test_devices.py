"""Trainings on several devices, in real processes: equal to one process, and resumed when one is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from launching import Facegrid, Store, family, grid, here, sound
from safetensors.torch import load_file

from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.ledger.attempt_times import attempt_times
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read
from grid.stages.ranks import RankLost
from modules.training import ranks

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
PLAIN = {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"}  # no normalization, no dropout
SMALL = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
DEVICES = {"one": {"compute.devices": 1}, "two": {"compute.devices": 2}}
ENDS = 60.0  # maximum seconds until the loss of a rank is noticed


def two(tree: dict[str, Any]) -> None:
    """One cell, on two devices."""
    del tree["skip"], tree["explainers"]
    tree["axes"] = {"devices": {"two": DEVICES["two"]}}


def both(tree: dict[str, Any]) -> None:
    """A cell on one device and the same on two, which have 5 and 4 images of each batch."""
    two(tree)
    tree["axes"] = {"devices": DEVICES}
    tree["base"] |= {"head": PLAIN, "augmentation": "flip"}
    tree["base"]["recipe"] |= {"batch_size": 9, "lr": 0.05}


def shared(tree: dict[str, Any]) -> None:
    """A cell on one device and the same on two, which share the classes and the statistics of batch normalization."""
    both(tree)
    sharing = {"compute": {"devices": 2, "classes": "shared", "batch_norm": "synchronized"}}
    tree["axes"] = {"devices": {**DEVICES, "two": sharing}}
    tree["base"] |= {"loss": {"name": "arcface", "scale": 8, "sample": 0.6}, "backbone": SMALL}
    tree["base"]["augmentation"] = "components.slow"  # without effect on an image
    tree["base"]["recipe"]["lr"] = 0.003  # rounding grows with it, in a network with batch normalization


def shared_by_two(tree: dict[str, Any]) -> None:
    shared(tree)
    del tree["axes"]["devices"]["one"]


@dataclass(frozen=True)
class Trained:
    weights: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    facts: dict[str, Any]


def trained(folder: Path) -> dict[int, Trained]:
    """The trainings of a study, by their number of devices."""
    found = {}
    store = Store(folder / STUDY / "store")
    for (kind, id), marker in store.markers().items():
        if kind == "train":
            identity = json.loads((store.path / kind / id / "identity.json").read_text())
            found[_devices(identity)] = Trained(
                load_file(store.ledger.path(marker, "model.safetensors")),
                store.ledger.json(marker, "history.json"),
                dict(marker.facts),
            )
    return found


def _devices(identity: Any) -> int:
    text = json.dumps(identity)
    return int(text.split('"devices": ')[1].split(",")[0].split("}")[0])


@pytest.fixture(scope="module")
def locally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("locally")
    said = here(folder, "launch", grid(folder / "tiny.yaml", both), "launch.executor=local")
    assert "Warning" not in said
    return folder


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharing")
    here(folder, "launch", grid(folder / "tiny.yaml", shared), "launch.executor=local")
    return folder


@pytest.mark.parametrize("folder", ["locally", "sharing"])
def test_two_processes_train_the_network_that_one_trains(folder: str, request: pytest.FixtureRequest) -> None:
    locally = request.getfixturevalue(folder)
    found = trained(locally)
    one, other = found[1], found[2]
    difference = max(float((value - other.weights[key]).abs().max()) for key, value in one.weights.items())
    assert difference < 1e-5
    assert len(one.history) == len(other.history) == 3
    for row, again in zip(one.history, other.history, strict=True):
        assert row["train_loss"] == pytest.approx(again["train_loss"], abs=1e-5)
        assert row["validation_loss"] == pytest.approx(again["validation_loss"], abs=1e-5)
        assert row["validation_accuracy"] == again["validation_accuracy"]
        assert row["lr"] == again["lr"]
    assert one.history[0]["train_loss"] - one.history[-1]["train_loss"] > 1e-3, "it learns, so equality means something"
    assert one.facts["validation_images"] == other.facts["validation_images"] == 6
    sound(locally / STUDY)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_another_number_of_devices_resumes_with_the_same_numbers(
    sharing: Path, tmp_path: Path, before: int, after: int, hold: Path
) -> None:
    store = Store(tmp_path / STUDY / "store")
    words = ("launch", grid(tmp_path / "tiny.yaml", shared_by_two), "launch.executor=local")
    with Facegrid(tmp_path, *words, f"launch.devices={before}", FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        assert len(helpers(driver.family)) == before - 1
        driver.kill()
        _until(lambda: not helpers(driver.family))
    here(tmp_path, *words, f"launch.devices={after}")
    assert half in store.resumed()
    whole, found = trained(sharing)[2], trained(tmp_path)[2]
    for key, value in whole.weights.items():
        assert torch.allclose(found.weights[key], value, rtol=0, atol=1e-5), key
    assert [row["validation_loss"] for row in found.history] == pytest.approx(
        [row["validation_loss"] for row in whole.history], 1e-5
    )


def test_only_rank_0_writes_to_the_ledger(locally: Path) -> None:
    store = Store(locally / STUDY / "store")
    assert set(store.attempts().values()) == {1}
    for (kind, id), marker in store.markers().items():
        if kind == "train":
            folders = {path.name: path for path in (store.path / kind / id).iterdir() if path.is_dir()}
            assert folders.keys() == {"claims", "lease", marker.attempt}
            assert len(list((folders[marker.attempt] / "events").iterdir())) == 3


@pytest.fixture(scope="module")
def undisturbed_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[tuple[str, str], str]]:
    """A cell on two devices without Ray, whose launches below must equal it: its file and its contents."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = grid(folder / "tiny.yaml", two)
    here(folder, "launch", file, "launch.executor=local", "launch.resources.gpus=0")
    sound(folder / STUDY)
    return file, Store(folder / STUDY / "store").contents()


def helpers(tag: str) -> list[psutil.Process]:
    """The processes of ranks above 0."""
    found = []
    for process in family(tag):
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "helper_process" in words or words.startswith("ray::_Helper"):
            found.append(process)
    return found


@pytest.mark.slow
def test_on_ray_killed_ranks_cost_no_result(undisturbed_two: Any, tmp_path: Path, hold: Path) -> None:
    """First rank 1 is asked to end, which costs no try; then rank 0 is killed, whose helper ends with it."""
    file, contents = undisturbed_two
    store, words = Store(tmp_path / STUDY / "store"), ("launch.resources.gpus=0", "launch.retries=1")
    with Facegrid(tmp_path, "launch", file, *words, FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, first = driver.until(store.half_trained)
        (helper,) = helpers(driver.family)
        helper.terminate()
        driver.until(lambda: store.attempts()["train", half] == 2, ENDS)
        _, second = driver.until(lambda: store.half_trained(first["pid"]))
        (helper,) = driver.until(lambda: helpers(driver.family))
        psutil.Process(second["pid"]).kill()
        _until(lambda: helper.pid not in [one.pid for one in helpers(driver.family)])
        hold.unlink()
        assert driver.wait() == 0, driver.said
        assert driver.said.count("its process or node was lost") == 2
        assert "(the process of rank 1 of 2 was lost (The process receives a SIGTERM))" in driver.said
        _until(lambda: not helpers(driver.family))
    _as_if_nothing_had_happened(store, half, attempts=3, contents=contents)
    sound(tmp_path / STUDY)


def test_a_killed_rank_costs_no_result(sharing: Path, tmp_path: Path, hold: Path) -> None:
    """In the driver's process and its helper, of a cell whose numbers do not depend on the devices; both are there again."""

    store = Store(tmp_path / STUDY / "store")
    words = ("launch", grid(tmp_path / "tiny.yaml", shared_by_two), "launch.executor=local", "launch.devices=auto")
    with Facegrid(tmp_path, *words, FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        (helper,) = helpers(driver.family)
        helper.kill()
        hold.unlink()
        driver.until(lambda: store.attempts()["train", half] == 2, ENDS)
        assert driver.wait() == 0, driver.said
        assert driver.said.count("lost") == 1
        _until(lambda: not helpers(driver.family))
    _as_if_nothing_had_happened(store, half, attempts=2, contents=Store(sharing / STUDY / "store").contents())
    sound(tmp_path / STUDY)


@pytest.mark.slow
def test_helpers_end_with_a_killed_launch_which_then_resumes(undisturbed_two: Any, tmp_path: Path, hold: Path) -> None:
    file, contents = undisturbed_two
    store = Store(tmp_path / STUDY / "store")
    words = ("launch", file, "launch.executor=local", "launch.resources.gpus=0")
    with Facegrid(tmp_path, *words, FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        assert helpers(driver.family)
        driver.kill()
        _until(lambda: not helpers(driver.family))
    here(tmp_path, *words)
    _as_if_nothing_had_happened(store, half, attempts=2, contents=contents)


def _as_if_nothing_had_happened(store: Store, half: str, attempts: int, contents: dict[tuple[str, str], str]) -> None:
    """Each attempt of the training had two devices; it was resumed, and the results are those of an undisturbed launch."""
    assert half in store.resumed()
    assert [claim["devices"] for claim in store.ledger.claims("train", half)] == [2] * attempts
    assert len(store.contents()) == 2
    assert store.contents().items() <= contents.items()


def the_training(folder: Path, change: Callable[[dict[str, Any]], None]) -> Job:
    """The training of one cell on two devices, not run yet."""
    plan = make_plan(read(grid(folder / "tiny.yaml", change)))
    jobs = jobs_of(plan.stages, store_of(plan.grid))
    (found,) = (job for job in jobs.values() if job.kind == "train")
    return found


@pytest.mark.slow
def test_a_training_takes_two_of_three_devices(locally: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(tree: dict[str, Any]) -> None:
        both(tree)
        tree["axes"] = {"devices": {"three": {"compute.devices": 3}}}

    monkeypatch.chdir(tmp_path)
    job = replace(the_training(tmp_path, change), fewest=1)
    seen: set[int] = set()

    def report(row: dict[str, Any]) -> None:
        seen.update(one.pid for one in psutil.Process().children() if "helper_process" in " ".join(one.cmdline()))

    assert run(job, RunOptions(raises=True, devices=2, report=report)).ended == "done"
    assert len(seen) == 1
    found, whole = trained(tmp_path)[3], trained(locally)[2]
    assert all(torch.equal(found.weights[key], value) for key, value in whole.weights.items())


@pytest.mark.slow
def test_a_training_on_two_devices_is_asked_to_take_three(
    locally: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(tree: dict[str, Any]) -> None:
        both(tree)
        tree["axes"] = {"devices": {"three": {"compute.devices": 3}}}

    monkeypatch.chdir(tmp_path)
    job = replace(the_training(tmp_path, change), fewest=1)
    ledger = Ledger(job.store)

    def report(row: dict[str, Any]) -> None:
        if row.get("finished_epoch") == 0:
            ledger.ask_rescale(job.kind, job.id, ledger.claims(job.kind, job.id)[-1]["folder"], 3)

    left = run(job, RunOptions(raises=True, devices=2, report=report))
    assert (left.ended, left.error) == ("rescaled", "stopped after epoch 0; the state is saved")
    assert ledger.failure(job.kind, job.id) is None
    assert run(job, RunOptions(raises=True, devices=3)).ended == "done"
    claims = ledger.claims(job.kind, job.id)
    assert [one["devices"] for one in claims] == [2, 3]
    assert [one.outcome for one in attempt_times(ledger, job.kind, job.id)] == ["rescaled", "done"]
    assert ledger.resumed_from(f"{job.kind}/{job.id}/{claims[1]['folder']}")["position"] == [1, 0]
    found, whole = trained(tmp_path)[3], trained(locally)[1]
    assert all(torch.allclose(found.weights[key], value, rtol=0, atol=1e-5) for key, value in whole.weights.items())


@pytest.mark.slow
def test_a_rank_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ranks, "PATIENCE", timedelta(seconds=5))
    job, stopped = the_training(tmp_path, two), []

    def report(row: dict[str, Any]) -> None:
        if "finished_epoch" in row and not stopped:
            (helper,) = (one for one in psutil.Process().children() if "helper_process" in " ".join(one.cmdline()))
            helper.suspend()
            stopped.append((helper, time.monotonic()))

    with pytest.raises(RankLost, match="lost touch"):
        run(job, RunOptions(report=report))
    helper, since = stopped[0]
    assert 5 <= time.monotonic() - since < ENDS
    assert not helper.is_running()
    assert Store(Path(job.store)).ledger.failure("train", job.id) is None, "it is no failure of the stage"


BROKEN = """
import sys
from typing import Literal
from configs.data_interfaces import AugmentationConfig

class Config(AugmentationConfig):
    name: Literal["broken_beside.there"] = "broken_beside.there"
    def build(self):
        return self.augment
    def augment(self, image, seed):
        if "grid.execution.helper_process" in sys.modules:
            raise RuntimeError("no such face")
        return image
"""


def test_an_error_in_another_process_is_that_of_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_beside").mkdir()
    (tmp_path / "broken_beside" / "there.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def change(tree: dict[str, Any]) -> None:
        two(tree)
        tree["base"]["augmentation"] = "broken_beside.there"

    job = the_training(tmp_path, change)
    outcome = run(job, RunOptions())
    assert outcome.ended == "failed"
    assert outcome.error == "RuntimeError: no such face (broken_beside/there.py:12)"
    failure = Store(Path(job.store)).ledger.failure("train", job.id)
    assert failure is not None
    assert "in rank 1 of 2:" in failure.traceback


def _until(fact: Callable[[], bool]) -> None:
    limit = time.monotonic() + ENDS
    while not fact():
        assert time.monotonic() < limit
        time.sleep(0.1)
