"""What a study has spent, from the claims of its stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grid.ledger.measurement_times import begin_measurement, change_measurement
from grid.ledger.study import Study
from grid.results.spending import SpendingReader, spending_words
from grid.results.status import show, status

Make = Callable[..., Study]
HOUR = 3600.0


@pytest.fixture
def study(make_study: Make) -> Study:
    """One training has not ended; nothing else was computed by this study."""
    made = make_study(axes={"backbone": ["alexnet"]}, unfinished=[{"backbone": "alexnet"}], pairs=60, explainers=())
    for kind, id in [(name.kind, cell.stages[name]) for cell in made.cells for name in cell.names]:
        for name in made.ledger.store.names(f"{kind}/{id}/claims"):
            made.ledger.store.delete(f"{kind}/{id}/claims/{name}")
    return made


def attempt(made: Study, hours: float, gpus: float = 1.0, device: str = "gpu 0 (NVIDIA H100)", **about: Any) -> Any:
    """A lost attempt that was last heard of after so many hours."""
    id = made.cells[0].stages["train"]
    about = {"study": made.id, "reserved": {"CPU": 4.0, "GPU": gpus}, **about}
    begun = made.ledger.begin("train", id, {"stage": "train"}, device=device, about=about)
    claim = made.ledger.claims("train", id)[-1]
    begun.event({"epoch": 0, "position": [1, 0], "whole": True, "time": claim["time"] + hours * HOUR}, None)
    return begun


def priced(study: Study, **prices: Any) -> Study:
    study.record["launch"] = {**study.record.get("launch", {}), "prices": prices}
    return study


def test_a_new_study_has_spent_nothing(study: Study) -> None:
    spent = SpendingReader(study).spent()
    assert (spent.cpu_hours, spent.gpu_hours, spent.cost, spent.attempts) == (0.0, 0.0, None, 0)
    assert "spent" not in "".join(str(line) for line in [show(study).table.caption])


def test_hours_are_amounts_times_time_and_money_has_a_price_for_each(study: Study) -> None:
    attempt(study, 2.0, gpus=0.5)
    spent = SpendingReader(priced(study, currency="EUR", cpu_hour=0.1, gpu_hour={"H100": 3.0})).spent()
    assert (spent.cpu_hours, spent.gpu_hours) == (pytest.approx(8.0), pytest.approx(1.0))
    assert spent.cost == pytest.approx(8.0 * 0.1 + 1.0 * 3.0)
    words = "spent 1 GPU-hours, 8 CPU-hours, EUR 3.8; 1 hours of them in 1 attempt without a result"
    assert spending_words(spent) == words
    assert words in str(show(study).table.caption)
    assert status(study)["spent"]["gpu_hours"] == pytest.approx(1.0)


def test_a_device_without_a_price_makes_the_cost_unknown(study: Study) -> None:
    attempt(study, 2.0)
    spent = SpendingReader(priced(study, gpu_hour={"A100": 3.0})).spent()
    assert spent.cost is None
    assert spent.without_price == ["NVIDIA H100"]
    assert spending_words(spent).endswith("; launch.prices.gpu_hour has no price for NVIDIA H100")
    assert SpendingReader(priced(study)).spent().without_price == []
    assert SpendingReader(priced(study, cpu_hour=0.1)).spent().cost is None, "a GPU is not free"
    assert SpendingReader(priced(study, gpu_hour={"any": 1.0})).spent().cost == pytest.approx(2.0)


def test_failed_and_lost_attempts_count_and_those_of_other_studies_do_not(study: Study) -> None:
    id = study.cells[0].stages["train"]
    attempt(study, 1.0, study="another")
    attempt(study, 0.0).fail("ValueError: no", "", True)
    spent = SpendingReader(study).spent()
    assert (spent.attempts, spent.without_result, spent.gpu_hours) == (1, 1, pytest.approx(0.0, abs=0.01))
    study.ledger.forgive("train", id)
    attempt(study, 3.0)
    spent = SpendingReader(study).spent()
    assert (spent.attempts, spent.gpu_hours) == (2, pytest.approx(3.0, abs=0.01))


def test_measurements_of_memory_count_but_not_as_attempts(study: Study) -> None:
    attempt(study, 2.0)
    begin_measurement(study.path, "a", 0.0, {"CPU": 4.0, "GPU": 1.0}, "gpu 1 (NVIDIA H100)")
    change_measurement(study.path, "a", ended=0.5 * HOUR)
    spent = SpendingReader(priced(study, gpu_hour={"H100": 3.0})).spent()
    assert (spent.gpu_hours, spent.cpu_hours) == (pytest.approx(2.5), pytest.approx(10.0))
    assert (spent.cost, spent.attempts, spent.without_result) == (pytest.approx(7.5), 1, 1)
    assert SpendingReader(priced(study, gpu_hour={"A100": 3.0})).spent().without_price == ["NVIDIA H100"]


def test_a_measurement_that_was_lost_before_its_gpu_was_known_has_the_highest_price(study: Study) -> None:
    begin_measurement(study.path, "a", 0.0, {"GPU": 1.0}, None)
    change_measurement(study.path, "a", ended=HOUR)
    assert SpendingReader(priced(study, gpu_hour={"H100": 3.0, "any": 1.0})).spent().cost == pytest.approx(3.0)
    assert SpendingReader(priced(study, cpu_hour=1.0)).spent().without_price == ["an unknown GPU"]


def test_an_attempt_that_ended_for_more_devices_is_not_without_a_result(study: Study) -> None:
    attempt(study, 1.0).rescaled()
    spent = SpendingReader(study).spent()
    assert (spent.attempts, spent.without_result) == (1, 0)


def test_stages_that_have_ended_are_read_once_and_others_again(study: Study) -> None:
    reader = SpendingReader(study)
    attempt(study, 1.0)
    assert reader.spent().attempts == 1
    attempt(study, 1.0).finish({}, {}, "s", [])
    assert reader.spent().attempts == 2
    id = study.cells[0].stages["train"]
    for name in study.ledger.store.names(f"train/{id}/claims"):
        study.ledger.store.delete(f"train/{id}/claims/{name}")
    assert reader.spent().attempts == 2


def voided(study: Study) -> str:
    """The id of the training, once its result is damaged."""
    id = study.cells[0].stages["train"]
    study.ledger.void("train", id, "its model is gone")
    return id


def test_a_stage_that_is_done_and_computed_again_counts_with_its_new_attempts(study: Study) -> None:
    reader = SpendingReader(study)
    attempt(study, 1.0).finish({}, {}, "s", [])
    assert reader.spent().attempts == 1
    voided(study)
    again = attempt(study, 3.0)
    spent = reader.spent()
    assert (spent.attempts, spent.gpu_hours) == (2, pytest.approx(3.0, abs=0.01))
    again.finish({}, {}, "s", [])
    assert reader.spent().attempts == 2
    voided(study)
    attempt(study, 1.0)
    assert reader.spent().attempts == 3


def test_of_many_stages_each_reading_looks_at_some_again_and_at_running_ones(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grid.results.spending.AGAIN", 2)
    ids = [f"{number}" * 32 for number in range(5)]
    study.record = {**study.record, "stages": [{"id": id, "stage": "train"} for id in ids]}
    about = {"study": study.id, "reserved": {"CPU": 1.0}}
    for id in ids:
        study.ledger.begin("train", id, {}, about=about).finish({}, {}, "s", [])
    reader = SpendingReader(study)
    assert reader.spent().attempts == 5
    looked: list[str] = []
    attempts = study.ledger.attempts

    def counted(kind: str, id: str) -> int:
        looked.append(id)
        return attempts(kind, id)

    monkeypatch.setattr(study.ledger, "attempts", counted)
    study.ledger.begin("train", ids[4], {}, about=about)
    counts = [reader.spent().attempts for _ in range(4)]
    assert counts == [5, 5, 6, 6]
    assert looked == [*ids, ids[0], ids[1], ids[2]], "two at a time, in turn; the one that is open is read anyway"
    monkeypatch.setattr("grid.results.spending.AGAIN", 0)
    reader.running = {ids[2]}
    assert reader.spent().attempts == 6
    study.ledger.begin("train", ids[2], {}, about=about)
    reader.running = set()
    assert reader.spent().attempts == 7, "at once"


def test_parts_of_a_detection_count(study: Study) -> None:
    """A shard is no stage of the record; its id begins with that of the detection."""
    record = {**study.record, "stages": [*study.record["stages"], {"id": "d" * 32, "stage": "detect"}]}
    study.record = record
    part = f"{'d' * 32}-0-4096"
    about = {"study": study.id, "reserved": {"CPU": 1.0}}
    study.ledger.begin("detect_shard", part, {}, about=about).finish({}, {}, "s", [])
    study.ledger.begin("detect_shard", f"{'e' * 32}-0-4096", {}, about=about).finish({}, {}, "s", [])
    assert SpendingReader(study).spent().attempts == 1
