import os
import time

import pytest

from grid.ledger.lock import Lock, live_holder
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.results.progress import progress
from grid.results.running import Running, launch_of, running


@pytest.fixture
def study(make_study):
    return make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60, explainers=()
    )


@pytest.fixture
def lock(study):
    """A launch, whose process computes the unfinished training."""
    with Lock(LocalStore(study.path), "launch of ito2021"), lease(study):
        yield


def lease(study):
    return Lock(study.ledger.store, "train", prefix=f"train/{study.cells[1].stages['train']}/lease")


def begin(study, epochs, each=10.0):
    """A second attempt of the unfinished training, with epochs that took ``each`` seconds."""
    cell = study.cells[1]
    attempt = study.ledger.begin("train", cell.stages["train"], {"stage": "train"})
    start = study.ledger.claims("train", cell.stages["train"])[-1]["time"]
    for epoch in range(epochs):
        time_of = start + each * (epoch + 1)
        attempt.event({"epoch": epoch, "position": [epoch + 1, 0], "whole": True, "time": time_of, "train_loss": 1.0}, None)
    return Study(study.path), start


def test_a_live_launch_is_shown_with_its_process(study, lock):
    found = launch_of(study)
    assert (found["purpose"], found["pid"]) == ("launch of ito2021", os.getpid())
    assert found["since"] == pytest.approx(time.time(), abs=60)


def test_no_launch_is_shown_once_it_has_ended(study):
    with Lock(LocalStore(study.path), "launch"):
        assert live_holder(LocalStore(study.path))
    assert launch_of(study) is None
    study, _ = begin(study, 1)
    assert running(study, study.cells[1]) == []  # begun and not ended, but no process computes it


@pytest.mark.usefixtures("lock")
def test_a_running_training_has_attempt_epoch_and_time_left(study):
    study, start = begin(study, epochs=2, each=10.0)
    (found,) = running(study, study.cells[1], now=start + 25)
    assert (found.stage, found.attempt, found.epoch, found.epochs) == ("train", 2, 3, 4)
    assert found.seconds_left == pytest.approx(15)  # two epochs of 10 seconds, 5 of which have passed
    assert found.text == "train, attempt 2, epoch 3 of 4, about 0:15 left"
    assert running(study, study.cells[0]) == []


def test_a_training_whose_process_was_lost_is_not_running_though_its_launch_goes_on(study):
    with Lock(LocalStore(study.path), "launch of ito2021"):
        with lease(study):
            study, _ = begin(study, epochs=1)
            assert len(running(study, study.cells[1])) == 1
        assert running(study, study.cells[1]) == []


@pytest.mark.usefixtures("lock")
def test_a_training_on_fewer_devices_than_its_cell_has_says_so(study):
    id = study.cells[1].stages["train"]
    study.ledger.begin("train", id, {"stage": "train"}, about={"devices": 1, "cell_devices": 2})
    (found,) = running(study, study.cells[1])
    assert found.text == "train, attempt 2, on 1 device instead of 2, epoch 1 of 4"


@pytest.mark.usefixtures("lock")
def test_before_the_first_epoch_has_ended_no_time_is_guessed(study):
    study, _ = begin(study, epochs=0)
    (found,) = running(study, study.cells[1])
    assert (found.epoch, found.seconds_left) == (1, None)
    assert found.text == "train, attempt 2, epoch 1 of 4"


def test_what_an_earlier_launch_began_is_not_running(study):
    """Its attempt was cut off; this launch has not come to it yet."""
    study, _ = begin(study, epochs=1)
    with Lock(LocalStore(study.path), "launch of ito2021"):
        assert running(study, study.cells[1]) == []


def test_what_a_worker_began_before_the_launch_or_by_a_clock_that_is_behind_is_running(study):
    with lease(study):
        study, start = begin(study, epochs=1)
        with Lock(LocalStore(study.path), "launch of ito2021"):
            assert launch_of(study)["since"] > start
            assert [one.stage for one in running(study, study.cells[1])] == ["train"]
            assert dict(progress(study).states) == {"done": 1, "running": 1}


def test_a_detection_runs_while_its_shards_do(make_study):
    study = make_study(axes={"backbone": ["alexnet"], "detection": ["mtcnn"]}, unfinished=[{}], pairs=60, explainers=())
    cell = study.cells[0]
    name = next(name for name in cell.names if name.kind == "detect")
    (study.ledger.store.local(f"detect/{cell.stages[name]}") / "done-000.json").unlink()
    done, begun = (study.ledger.begin("detect_shard", f"{cell.stages[name]}-00000000{n}-000000009", {}) for n in range(2))
    (done.path / "part").write_text("x")
    done.finish({}, {}, "s", ["part"])
    study = Study(study.path)
    with Lock(LocalStore(study.path), "launch"):
        assert running(study, study.cells[0]) == [], "an earlier launch began them"
    with Lock(study.ledger.store, "detect", prefix=f"detect_shard/{begun.id}/lease"):
        found = [one for one in running(study, study.cells[0]) if one.stage == str(name)]
    assert found == [Running(str(name), cell.stages[name], 1, parts=1)]
    assert found[0].text.endswith("1 part done")
