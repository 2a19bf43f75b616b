"""Which trainings take the same memory, and the file of a study that knows it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grid.execution.job import Job
from grid.execution.memory_peak import Peak
from grid.execution.peaks import FILE, Peaks, first_training, key_of, measurable, probed
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.stage_kind import stages_of

CELL: dict[str, Any] = {
    "data": {"name": "drawn", "subjects": 4, "shots": 4},
    "backbone": "alexnet",
    "input": {"size": 64},
    "recipe": {"name": "plateau", "lr": 0.1, "batch_size": 8},
    "protocols": [{"name": "drawn"}],
}
ONE, OTHER = Peak(5 << 30, 0, 0, "cpu"), Peak(3 << 30, 7 << 30, 80 << 30, "NVIDIA H100")


def jobs(tmp_path: Path, workers: Any = 0, **changes: Any) -> list[Job]:
    found = []
    cell = Cell.model_validate({**CELL, **changes, "recipe": {**CELL["recipe"], **changes.get("recipe", {})}})
    for stage in stages_of(cell, InputResolver(tmp_path / "resolver")):
        config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
        found.append(Job(stage.kind, stage.id, stage.label, {}, {}, config, "", str(tmp_path / "store"), workers=workers))
    return found


def key(tmp_path: Path, **changes: Any) -> str:
    training = first_training(jobs(tmp_path, **changes))
    assert training is not None
    return key_of(training)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 5}, {"recipe": {"lr": 0.2}}, {"recipe": {"epochs": 3, "min_delta": 0.0}}, {"recipe": {"weight_decay": 0.0}}],
    ids=str,
)
def test_seeds_rates_and_lengths_take_the_same_memory(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert key(tmp_path, **changes) == key(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "mobilenetv3_small"},
        {"head": {"name": "gap_bn", "dimension": 16}},
        {"loss": "arcface"},
        {"input": {"size": 80}},
        {"recipe": {"batch_size": 16}},
        {"recipe": {"accumulate": 2}},
        {"recipe": {"optimizer": "adamw"}},
        {"recipe": {"ema": 0.9}},
        {"compute": {"precision": "bf16-mixed"}},
        {"reconstruction": {"decoder": {"name": "unet"}}},
        {"data": {"name": "drawn", "subjects": 5, "shots": 4}},
        {"workers": 2},
    ],
    ids=str,
)
def test_what_changes_the_memory_is_measured_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert key(tmp_path, **changes) != key(tmp_path)


def test_other_code_is_measured_again(tmp_path: Path) -> None:
    job = next(job for job in jobs(tmp_path) if job.kind == "train")
    assert key_of(replace(job, source="other")) != key_of(job) == key_of(replace(job, id="other", label="other"))


def test_an_optimizer_without_momentum_keeps_less(tmp_path: Path) -> None:
    keys = [key(tmp_path, recipe={"optimizer": "sgd", "momentum": momentum}) for momentum in (0.0, 0.8, 0.9)]
    assert keys[0] != keys[1] == keys[2]


SPACE: dict[str, Any] = {"layers": [1, 2], "widths": [4, 17], "step": 4, "activations": ["relu"], "dropouts": [0.0, 0.5]}
SEARCH: dict[str, Any] = {"trials": 4, "rungs": [1, 3], "reduction": 2, "space": SPACE}


def trial_keys(tmp_path: Path, search: dict[str, Any], **changes: Any) -> list[str]:
    found = jobs(tmp_path, search={**SEARCH, **search}, head="dense", **changes)
    return [key_of(job) for job in found if job.kind == "trial" and measurable(job)]


@pytest.mark.parametrize(("search", "count"), [({}, 6), ({"scheduler": "asha"}, 8)])
def test_the_trials_of_a_search_take_the_same_in_all_rungs(tmp_path: Path, search: dict[str, Any], count: int) -> None:
    found = trial_keys(tmp_path, search)
    assert len(found) == count
    (key,) = set(found)
    assert set(trial_keys(tmp_path, {**search, "trials": 5, "seed": 9, "rungs": [2]})) == {key}, "another search of the space"
    assert set(trial_keys(tmp_path, {**search, "space": {**SPACE, "layers": [1, 3]}})).isdisjoint({key})
    assert set(trial_keys(tmp_path, search, recipe={"batch_size": 16})).isdisjoint({key})
    assert set(trial_keys(tmp_path, search, loss="arcface")).isdisjoint({key})


def test_a_trial_is_measured_with_the_largest_head_of_its_space(tmp_path: Path) -> None:
    found = jobs(tmp_path, search=SEARCH, head={"name": "dense", "batch_norm": True})
    layer = {"width": 16, "activation": "relu", "dropout": 0.5}
    for job in (one for one in found if one.kind == "trial"):
        head = probed(job).config["training"]["head"]
        assert (head["hidden"], head["dimension"], head["activation"], head["dropout"]) == ([layer], 16, "relu", 0.5)
        assert head["batch_norm"] is True, "what is not searched stays"
        assert probed(job).config["slot"]["rung"] == 0, "a later rung would need the results of the one before"
    (train,) = (one for one in found if one.kind == "train")
    assert probed(train) is train


def test_the_number_of_devices_changes_the_memory_of_each(tmp_path: Path) -> None:
    (train,) = (job for job in jobs(tmp_path, compute={"devices": 4}) if job.kind == "train")
    launches = [{}, {"ranks": 2}, {"fewest": 1}, {"fewest": 2}, {"ranks": 1}]
    assert len({key_of(replace(train, **one)) for one in launches}) == len(launches)  # type: ignore[arg-type]
    assert key_of(replace(train, fewest=9)) == key_of(train), "it needs all of them in any case"


def test_only_trainings_are_measured(tmp_path: Path) -> None:
    for devices in (1, 2):
        assert [job.kind for job in jobs(tmp_path, compute={"devices": devices}) if measurable(job)] == ["train"]
    job = next(job for job in jobs(tmp_path) if job.kind == "train")
    nothing = {"training": {**job.config["training"], "recipe": {"name": "none", "epochs": 0, "batch_size": 1}}}
    assert not measurable(Job("train", "a", "train", {}, {}, nothing, "", ""))


def test_peaks_are_there_in_the_next_launch(tmp_path: Path) -> None:
    peaks = Peaks(tmp_path)
    assert peaks.get("a") is None
    peaks.put("a", ONE)
    peaks.put("b", OTHER)
    again = Peaks(tmp_path)
    assert (again.get("a"), again.get("b"), again.get("c")) == (ONE, OTHER, None)


def test_the_peak_of_work_is_that_of_its_training(tmp_path: Path) -> None:
    work, peaks = jobs(tmp_path), Peaks(tmp_path)
    assert peaks.of(work) is None
    peaks.put(key(tmp_path), ONE)
    assert peaks.of(work) == ONE
    assert peaks.of([job for job in work if job.kind != "train"]) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "is not valid JSON"),
        (lambda text: text.replace(str(5 << 30), "5"), "was changed after it was written"),
        (lambda text: '{"peaks": [1]}', "the memory of trainings is measured again"),
        (lambda text: '{"peaks": {"a": {"memory": 0, "gpu": 0, "gpu_total": 0, "device": "cpu"}}}', "no measured memory"),
    ],
)
def test_a_damaged_file_is_measured_again_and_written_anew(
    tmp_path: Path, damage: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    Peaks(tmp_path).put("a", ONE)
    file = tmp_path / FILE
    file.write_text(damage(file.read_text()))
    with caplog.at_level(logging.WARNING):
        peaks = Peaks(tmp_path)
    assert said in caplog.text
    assert FILE in caplog.text, "the file is named"
    assert peaks.get("a") is None
    peaks.put("b", OTHER)
    assert Peaks(tmp_path).get("b") == OTHER


def test_without_a_study_peaks_are_kept_in_the_process(tmp_path: Path) -> None:
    peaks = Peaks(None)
    peaks.put("a", ONE)
    assert peaks.get("a") == ONE
    assert list(tmp_path.iterdir()) == []
