"""How long attempts held their resources, also those that left neither a result nor an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.attempt_log import SYSTEM
from grid.ledger.attempt_times import CPU, GPU, attempt_times
from grid.ledger.ledger import Attempt, Ledger
from grid.ledger.lock import Lock

RESERVED = {"reserved": {"CPU": 4.0, "GPU": 0.5, "rack": 1.0}, "study": "me"}


def begun(ledger: Ledger, **about: Any) -> Attempt:
    return ledger.begin("train", "a" * 32, {"stage": "train"}, device="gpu 0 (H100)", about={**RESERVED, **about})


def heard(attempt: Attempt, folder: str, when: float) -> None:
    """A line in a log of an attempt, at some time."""
    line = {"time": when, "level": "info", "source": "x", "message": ""}
    attempt.ledger.store.create(f"{attempt.prefix}/{folder}/000001.jsonl", f"{json.dumps(line)}\n".encode())


def test_a_stage_that_was_never_begun_has_no_attempts(tmp_path: Path) -> None:
    assert attempt_times(Ledger(tmp_path), "train", "a" * 32) == []


def test_every_way_to_end_has_its_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    begun(ledger).fail("ValueError: no", "", True)
    failure = ledger.failure("train", "a" * 32)
    lost = begun(ledger)
    attempt = begun(ledger)
    marker = attempt.finish({}, {}, "s", [])
    claims = ledger.claims("train", "a" * 32)
    heard(lost, SYSTEM, claims[1]["time"] + 1e6)  # a process that outlives its lease holds what it has, but not for this stage
    found = attempt_times(ledger, "train", "a" * 32)
    assert [one.outcome for one in found] == ["failed", "lost", "done"]
    assert [one.began for one in found] == [claim["time"] for claim in claims]
    assert failure is not None
    assert [one.ended for one in found] == [failure.time, claims[2]["time"], marker.finished]
    assert {(one.device, one.study) for one in found} == {("gpu 0 (H100)", "me")}
    assert found[0].reserved == {CPU: 4.0, GPU: 0.5}


def test_an_attempt_that_ended_for_more_devices_is_not_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = begun(ledger)
    assert not attempt.rescale_asked()
    ledger.ask_rescale("train", "a" * 32, attempt.folder, 2)
    assert attempt.rescale_asked()
    assert attempt_times(ledger, "train", "a" * 32)[0].outcome == "lost", "it did not do so yet"
    attempt.rescaled()
    lost = begun(ledger)
    assert not lost.rescale_asked(), "another attempt was asked"
    found = attempt_times(ledger, "train", "a" * 32)
    assert [one.outcome for one in found] == ["rescaled", "lost"]
    assert found[0].ended == ledger.rescaled(attempt.prefix)["time"]


@pytest.mark.parametrize("folder", ["log", SYSTEM])
def test_a_lost_attempt_ended_when_it_was_last_heard_of(tmp_path: Path, folder: str) -> None:
    ledger = Ledger(tmp_path)
    attempt = begun(ledger)
    began = ledger.claims("train", "a" * 32)[0]["time"]
    (one,) = attempt_times(ledger, "train", "a" * 32)
    assert (one.outcome, one.ended) == ("lost", began)
    attempt.event({"epoch": 0, "position": [1, 0], "whole": True, "time": began + 7200}, None)
    (one,) = attempt_times(ledger, "train", "a" * 32)
    assert (one.hours(GPU, began + 1e9), one.hours(CPU, began)) == (pytest.approx(1.0), pytest.approx(8.0))
    heard(attempt, folder, began + 10800)
    (one,) = attempt_times(ledger, "train", "a" * 32)
    assert one.hours(GPU, 0.0) == pytest.approx(1.5)


def test_an_attempt_under_a_lease_runs_until_now(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with Lock(ledger.store, "train", prefix=f"train/{'a' * 32}/lease"):
        begun(ledger)
        (one,) = attempt_times(ledger, "train", "a" * 32)
        assert (one.outcome, one.ended) == ("running", None)
        assert one.hours(GPU, one.began + 3600) == pytest.approx(0.5)
        assert one.hours(GPU, one.began - 5) == 0.0, "a clock that was set back"


def test_a_voided_result_was_computed_all_the_same(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    marker = begun(ledger).finish({}, {}, "s", [])
    ledger.void("train", "a" * 32, "damaged")
    (one,) = attempt_times(ledger, "train", "a" * 32)
    assert (one.outcome, one.ended) == ("done", marker.finished)


def test_claims_without_resources_hold_one_cpu_and_the_gpu_that_they_name(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin("train", "a" * 32, {}, device="gpu 3 (A100)").finish({}, {}, "s", [])
    ledger.begin("score", "b" * 32, {}, device="cpu").finish({}, {}, "s", [])
    ledger.begin("score", "c" * 32, {}).finish({}, {}, "s", [])
    found = [attempt_times(ledger, kind, id * 32)[0].reserved for kind, id in (("train", "a"), ("score", "b"), ("score", "c"))]
    assert found == [{CPU: 1.0, GPU: 1.0}, {CPU: 1.0, GPU: 0.0}, {CPU: 1.0, GPU: 0.0}]
