"""Which units of work are short, and which go together."""

from __future__ import annotations

import itertools

import pytest

from grid.execution.job import Job, Outcome
from grid.execution.scheduler import Work
from grid.execution.short_work import ENOUGH, KEPT, MOST, OVERDUE, SECONDS, MeasuredSeconds, in_turn, own, together
from grid.plan.history import Duration
from grid.plan.workload import Workload


def job(group: str = "train", network: str = "alexnet", amount: float | None = 10.0) -> Job:
    return Job("train", "0", "train", {}, {}, {}, "", "", workload=Workload(group, network, amount).record())


def unit(id: str) -> Work:
    return Work(id, id, (Job("train", id, id, {}, {}, {}, "", ""),), frozenset())


def test_the_median_of_alike_stages_counts_once_there_are_enough() -> None:
    known = MeasuredSeconds()
    for number in range(ENOUGH - 1):
        known.learn([Duration(Workload("train", "alexnet", 10.0), 5.0, "cpu")])
        assert known.seconds(job()) is None, number
    known.learn([Duration(Workload("train", "alexnet", 20.0), 4.0, "cpu")])
    assert known.seconds(job()) == pytest.approx(5.0)
    known.learn([Duration(Workload("train", "alexnet", 20.0), 4.0, "cpu")] * 2)
    assert known.seconds(job()) == pytest.approx(2.0), "the first ones, with their imports, are a minority now"
    assert known.seconds(job(amount=40.0)) == pytest.approx(8.0)
    assert known.seconds(job(network="resnet34")) is None
    assert known.seconds(job(group="explain")) is None
    assert known.seconds(Job("train", "0", "train", {}, {}, {}, "", "")) is None, "its workload is unknown"


def test_durations_that_changed_are_learned() -> None:
    known = MeasuredSeconds()
    known.learn([Duration(Workload("detect", "", None), 0.1, "cpu")] * 100)
    known.learn([Duration(Workload("detect", "", None), 9.0, "cpu")] * (KEPT // 2 + 1))
    assert known.seconds(job("detect", "", None)) == 9.0


def joined(seconds: dict[str, float | None], share: float = 99.0, unlike: str = "") -> str:
    first, *ready = (unit(id) for id in seconds)
    found = together(first, ready, lambda work: seconds[work.id], lambda work: work.id not in unlike, share)
    return "".join(work.id for work in found)


def test_units_join_in_their_order_as_long_as_they_are_short_and_alike() -> None:
    third = SECONDS / 3.01
    assert joined(dict.fromkeys("abcdef", third)) == "bc", "together they take no longer than one second"
    assert joined({"a": None, "b": 0.0}) == "", "the first one was never measured"
    assert joined({"a": 2 * SECONDS, "b": 0.0}) == ""
    assert joined({"a": 0.0, "b": 0.0, "c": None, "d": 0.0}) == "b", "none overtakes another"
    assert joined({"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0}, unlike="c") == "b"
    many = {chr(97 + number): 0.0 for number in range(26)}
    assert len(joined(many)) == MOST - 1
    assert len(joined(many, share=4.7)) == 3
    assert joined(many, share=0.4) == ""


def test_units_are_performed_in_turn_until_they_are_overdue_or_stopped() -> None:
    units = {id: list(unit(id).jobs) for id in "abc"}

    def performed(ended: str, seconds: float) -> dict[str, Outcome]:
        times = itertools.count(0.0, seconds)
        return in_turn(units, lambda id, jobs: {one.id: Outcome(ended) for one in jobs}, lambda: next(times))  # type: ignore[arg-type]

    assert list(performed("done", 0.0)) == ["a", "b", "c"]
    assert list(performed("failed", 0.0)) == ["a", "b", "c"], "one failure is none of the others"
    assert list(performed("stopped", 0.0)) == ["a"]
    assert list(performed("done", OVERDUE * 0.6)) == ["a", "b"]
    assert list(performed("done", OVERDUE * 2)) == ["a"]


def test_a_unit_that_was_not_begun_has_no_outcomes() -> None:
    outcomes = {"a": Outcome("done")}
    assert own(unit("a"), outcomes) == outcomes
    assert own(unit("b"), outcomes) == {}
