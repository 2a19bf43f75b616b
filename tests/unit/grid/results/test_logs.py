"""`facegrid logs`: the history of stages, from the ledger."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest

from grid.ledger.attempt_log import AttemptLog
from grid.ledger.lock import Lock
from grid.ledger.study import Study
from grid.results.log_follower import LogFollower
from grid.results.logs import line, logged_stages, stage_log
from grid.spec.grid_file import BadInput

Make = Callable[..., Study]


@pytest.fixture
def study(make_study: Make) -> Study:
    return make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, failed=[{"backbone": "alexnet"}], pairs=60, explainers=(), epochs=4,
        error="RuntimeError: no answer from http://me:hunter2@example/x",
    )  # fmt: skip


def test_a_failed_training_has_its_attempts_its_error_and_its_traceback(study: Study) -> None:
    rows = LogFollower(study.path, {"backbone": ["alexnet"]}, "train").look()[0]
    said = [row["message"] for row in rows]
    assert [text.partition(" on ")[0] for text in said if " began" in text] == ["attempt 1 began", "attempt 2 began"]
    assert said[-1] == "RuntimeError: no answer from http://***@example/x"
    assert (rows[-1]["level"], rows[-1]["attempt"]) == ("error", 2)
    assert "traceback" in rows[-1]
    assert "hunter2" not in json.dumps(rows)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert line(rows[-1]).splitlines()[0].endswith(f"error   {study.cells[0].title} train: {said[-1]}")


def test_a_finished_training_has_a_line_per_epoch_and_its_result(study: Study) -> None:
    rows = LogFollower(study.path, {"backbone": ["resnet34"]}, "train").look()[0]
    epochs = [row["epoch"] for row in rows if "epoch" in row]
    assert epochs == [1, 2, 3, 4]
    events = study.ledger.events("train", study.cells[1].stages["train"])
    (first,) = (row for row in rows if row.get("epoch") == 1)
    assert first["train_loss"] == events[0]["train_loss"]
    (end,) = (row for row in rows if row["message"].startswith("done in "))
    assert end["facts"] == study.cells[1].markers["train"].facts


def test_cells_and_stages_are_chosen_and_messages_stand_between_records(study: Study) -> None:
    cell = study.cells[1]
    id = cell.stages["train"]
    folder = study.ledger.claims("train", id)[-1]["folder"]
    with AttemptLog(study.ledger.store, f"train/{id}/{folder}") as log:
        log.write("warning", "timm", "deprecated, see https://me:hunter2@example")
    rows = LogFollower(study.path, None, None).look()[0]
    assert {row["cell"] for row in rows} == {one.title for one in study.cells}
    assert {row["stage"] for row in rows} >= {"train", "evaluate:lfw view 2"}
    assert {row["stage"] for row in LogFollower(study.path, None, "evaluate").look()[0]} == {"evaluate:lfw view 2"}
    with pytest.raises(
        BadInput, match=r"^--stage evaluat: no cell of .* has such a stage; did you mean 'evaluate'\? \(known: evaluate, "
    ):
        LogFollower(study.path, None, "evaluat")
    (message,) = (row for row in rows if row.get("source") == "timm")
    assert message["message"] == "deprecated, see https://***@example"
    assert line(message).endswith("train: timm: deprecated, see https://***@example")


def test_a_stage_that_cells_share_is_named_by_what_they_have_in_common(make_study: Make) -> None:
    study = make_study(axes={"backbone": ["alexnet"], "loss": ["arcface", "cosface"]}, pairs=60, explainers=())
    first, second = study.record["cells"]
    second["stages"] = dict(first["stages"])
    assert [one.cell for one in logged_stages(study, None, "train")] == ["backbone=alexnet (2 cells)"]
    assert [one.cell for one in logged_stages(study, {"loss": ["cosface"]}, "train")] == ["backbone=alexnet, loss=cosface"]


def test_a_stage_without_epochs_may_save_its_progress(study: Study) -> None:
    attempt = study.ledger.begin("detect", "d" * 32, {"stage": "detect"})
    attempt.event({"position": [128, 0], "images": 128}, None)
    said = [row["message"] for row in stage_log(study.ledger, "detect", "d" * 32)]
    assert said[1:] == ["saved its progress: images 128"]


def test_an_attempt_that_resumed_names_the_other(study: Study) -> None:
    first = study.ledger.begin("train", "e" * 32, {"stage": "train"}, "code")
    (first.path / "last.ckpt").write_bytes(b"weights")
    first.event({"epoch": 0, "position": [1, 0], "whole": True}, "last.ckpt")
    second = study.ledger.begin("train", "e" * 32, {"stage": "train"}, "code")
    found = second.resumable()
    assert found is not None
    second.resumed(found)
    said = [row["message"] for row in stage_log(study.ledger, "train", "e" * 32)]
    assert said[-1] == "continues from attempt 1"


@pytest.mark.parametrize(
    ("taken", "words"), [(2, "on 2 devices"), (1, "on 1 device instead of 2"), (3, "on 3 devices instead of 2")]
)
def test_an_attempt_on_several_devices_says_how_many(study: Study, taken: int, words: str) -> None:
    study.ledger.begin("train", "f" * 32, {"stage": "train"}, about={"devices": taken, "cell_devices": 2})
    (row,) = stage_log(study.ledger, "train", "f" * 32)
    assert row["message"].endswith(f", process {os.getpid()}, {words}")


def test_an_attempt_that_ended_for_more_devices_says_so(study: Study) -> None:
    study.ledger.begin("train", "f" * 32, {"stage": "train"}).rescaled()
    said = [row["message"] for row in stage_log(study.ledger, "train", "f" * 32)]
    assert said[1:] == ["attempt 1 ended at a checkpoint, to go on with more devices"]


def test_what_became_of_a_result_is_reported(study: Study) -> None:
    id = study.cells[1].stages["train"]
    study.ledger.void("train", id, "for the test")
    study.ledger.forgive("train", study.cells[0].stages["train"])
    assert stage_log(study.ledger, "train", id)[-1]["message"] == "its result no longer counts: for the test"
    assert "may be tried again" in stage_log(study.ledger, "train", study.cells[0].stages["train"])[-1]["message"]


def test_a_damaged_record_is_a_line_with_the_time_it_was_written(study: Study) -> None:
    id = study.cells[1].stages["train"]
    study.ledger.store.put(f"train/{id}/retry-000007.json", b"damaged")
    (row,) = (row for row in stage_log(study.ledger, "train", id) if row["level"] == "error")
    assert "retry-000007.json" in row["message"]
    assert abs(row["time"] - time.time()) < 600


def test_following_prints_each_line_once_until_nothing_computes(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from grid.cli import logs as module

    id = study.cells[0].stages["train"]
    study.ledger.forgive("train", id)
    first, second = (Lock(study.ledger.store, "train", prefix=f"train/{id}/lease") for _ in range(2))
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            attempt.event({"epoch": 0, "position": [1, 0], "whole": True, "train_loss": 0.5}, None)
        if looks == 2:
            first.__exit__(None, None, None)
        if looks == 3:
            second.__enter__()
            attempt.event({"epoch": 1, "position": [2, 0], "whole": True, "train_loss": 0.25}, None)
        if looks == 4:
            second.__exit__(None, None, None)
        assert looks < 20

    attempt = study.ledger.begin("train", id, {"stage": "train"}, device="gpu 0 (H100)")
    monkeypatch.setattr(module.time, "sleep", sleep)
    first.__enter__()
    module.logs(study.path, ["backbone=alexnet"], "train", follow=True, as_json=True)
    rows = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    said = [row["message"] for row in rows]
    assert looks == 5, "one look in which nothing runs is not the end: a worker may be between two stages"
    assert sum(text.startswith("attempt 3 began on ") and "gpu 0 (H100)" in text for text in said) == 1
    assert said[-2:] == ["epoch 1: train_loss 0.5", "epoch 2: train_loss 0.25"]
    assert len(said) == len({(row["time"], row["message"]) for row in rows})


def test_stages_are_named_from_the_record_alone(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(study.ledger), "status", lambda *_: pytest.fail("the ledger was read"))
    found = logged_stages(study, {"backbone": ["resnet34"]}, None)
    assert {str(one.name) for one in found} == set(map(str, study.record["cells"][1]["stages"]))
    assert {one.cell for one in found} == {"backbone=resnet34"}
