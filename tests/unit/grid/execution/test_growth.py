"""When a training on few devices is asked to take more (tests/cluster/test_nodes.py adds a real node)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grid.execution.growth import LOOK, PATIENCE, Growth, Smaller, smaller_of
from grid.execution.job import Job
from grid.execution.makespan import PENDING, Piece
from grid.execution.scheduler import Work
from grid.execution.slots import Slots
from grid.ledger.ledger import Attempt, Ledger

CPU = {"CPU": 1.0}


def needs(devices: int = 1, **slot: float) -> Piece:
    """Work that waits for so many slots."""
    return Piece("waits", frozenset(), slot, devices)


def training(store: Path, id: str, devices: int = 2) -> Job:
    config = {"training": {"compute": {"devices": devices}}}
    return Job("train", id, "train", {}, {}, config, "", str(store), fewest=1, study="me")


class Launch:
    """Trainings on one device each, of ``devices``, on ``nodes`` nodes of one CPU."""

    def __init__(self, store: Path, *ids: str, nodes: int = 2, devices: int = 2) -> None:
        self.ledger, self.time, self.idle, self.said = Ledger(store), 0.0, 0, list[str]()
        self.nodes = [CPU] * nodes
        self.free = [*([{}] * len(ids)), *([CPU] * (nodes - len(ids)))]
        self.slots = Slots(CPU, self.nodes)
        self.growth = Growth(self.slots, self.ledger, self.said.append, lambda: self.free, lambda: self.time)
        jobs = {id: training(store, id, devices) for id in ids}
        self.trainings = {id: Smaller(Work(id, id, (job,), frozenset()), job, CPU, 1) for id, job in jobs.items()}
        self.attempts = {id: self.begin(id) for id in ids}

    def begin(self, id: str, **about: Any) -> Attempt:
        return self.ledger.begin("train", id, {}, about={"devices": 1, "cell_devices": 2, "study": "me", **about})

    def look(self, seconds: float = LOOK, waiting: Sequence[Piece] = (), ids: str | None = None) -> list[str]:
        """Waits, looks, and returns the trainings that are asked to end."""
        self.time += seconds
        assert self.growth.due()
        self.growth.look([self.trainings[id] for id in (self.trainings if ids is None else ids)], waiting, self.end_idle)
        return [id for id, attempt in self.attempts.items() if attempt.rescale_asked()]

    def end_idle(self) -> None:
        self.idle += 1


def test_a_training_is_asked_once_the_room_has_been_free_for_long_enough(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a")
    assert not launch.growth.due(), "it looked a moment ago"
    assert launch.look() == []
    assert launch.look(PATIENCE - 0.1) == []
    assert launch.idle == 2, "idle processes hold room"
    launch.free = [{}, {}]
    assert launch.look() == [], "it was taken meanwhile"
    launch.free = [{}, CPU]
    assert launch.look() == launch.look(PATIENCE - 0.1) == []
    assert launch.look() == ["a"]
    assert launch.said == ["a: there is room for 2 devices instead of 1; it goes on with them from its next checkpoint"]
    assert launch.look(99.0) == ["a"]
    assert len(launch.said) == 1, "it was asked before"


def test_other_work_that_waits_has_the_room(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a")
    launch.look()
    assert launch.look(PATIENCE, [needs(CPU=1.0)]) == launch.look(PATIENCE) == []
    assert launch.look(PATIENCE) == ["a"]


DETECTS, TRAINS = {"CPU": 4.0, "detects": 1.0}, {"CPU": 1.0, "trains": 1.0}


@pytest.mark.parametrize(
    ("waiting", "asked"),
    [
        ([needs(CPU=1.0, detects=1.0)], True),  # for the other kind of node
        ([needs(CPU=2.0)], True),
        ([needs(CPU=1.0, lost=1.0)], True),  # for a node that is gone
        ([needs(3, **TRAINS)], True),  # for one more node than there are
        ([needs(2, **TRAINS)], False),  # for the end of the training
        ([needs(CPU=1.0)], False),  # it may begin on any node
        ([needs(5, CPU=1.0)], False),
        ([needs(CPU=1.0, detects=1.0), needs(CPU=1.0)], False),
        ([needs(CPU=2.0)] * (PENDING - 1), True),
        ([needs(CPU=2.0)] * PENDING, False),  # Tune would not take the training again
    ],
    ids=lambda found: f"{len(found)} of {dict(found[-1].slot)} x {found[-1].devices}" if isinstance(found, list) else "",
)
def test_work_that_the_nodes_of_a_training_are_of_no_use_to_does_not_keep_it_small(
    tmp_path: Path, waiting: list[Piece], asked: bool
) -> None:
    launch = Launch(tmp_path, "a")
    launch.nodes[:] = [TRAINS, TRAINS, DETECTS]
    launch.free = [{}, TRAINS, {}]
    launch.trainings["a"] = replace(launch.trainings["a"], slot=TRAINS)
    launch.look(waiting=waiting)
    assert launch.look(PATIENCE, waiting) == (["a"] if asked else [])


def test_nobody_is_disturbed_where_the_nodes_have_no_room(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a", nodes=1)
    launch.free = [CPU]  # as Ray may say for a moment
    assert launch.look() == launch.look(PATIENCE) == []
    assert launch.idle == 0


def test_trainings_are_asked_one_after_the_other(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a", "b", nodes=3)
    launch.look()
    assert launch.look(PATIENCE) == ["a"]
    assert launch.look(PATIENCE) == launch.look(PATIENCE) == ["a"], "its end is awaited"
    assert launch.look(waiting=[needs(2, CPU=1.0)], ids="b") == ["a"], "it waits for its new devices"
    launch.free = [{}, {}, {}]
    assert launch.look(PATIENCE, ids="b") == ["a"], "there is no room for the other one"
    launch.nodes.append(CPU)
    launch.free.append(CPU)
    launch.look(ids="b")
    assert launch.look(PATIENCE, ids="b") == ["a", "b"]


def test_each_further_time_takes_twice_as_long(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a")
    launch.look()
    assert launch.look(PATIENCE) == ["a"]
    launch.attempts["a"] = launch.begin("a")  # its new node was lost: it has one device again
    assert launch.look() == launch.look(2 * PATIENCE - 0.1) == []
    assert launch.look() == ["a"]


def test_it_takes_as_many_as_there_is_room_for(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a", nodes=3, devices=8)
    launch.look()
    launch.look(PATIENCE)
    assert "room for 3 devices instead of 1" in launch.said[0]
    assert launch.slots.room("a") == 3


def test_it_does_not_wait_for_devices_that_other_work_holds(tmp_path: Path) -> None:
    launch = Launch(tmp_path, "a", nodes=4, devices=4)
    launch.free[-1] = {}
    launch.look()
    launch.look(PATIENCE)
    assert "room for 3 devices instead of 1" in launch.said[0]
    assert launch.slots.room("a") == 3, "which is what it asks for when it goes on"
    assert launch.slots.room("b") == 4
    launch.attempts["a"] = launch.begin("a", devices=3)
    launch.trainings["a"] = replace(launch.trainings["a"], devices=3)
    launch.free = [{}, {}, {}, CPU]
    launch.look()
    launch.look(2 * PATIENCE)
    assert "room for 4 devices instead of 3" in launch.said[1]
    assert launch.slots.room("a") == 4


@pytest.mark.parametrize("about", [{"devices": 2}, {"study": "other"}])
def test_an_attempt_that_is_not_that_of_this_launch_is_left_alone(tmp_path: Path, about: dict[str, Any]) -> None:
    """An earlier one on other devices, before the new one has begun; or one of another study that computes the same stage."""
    launch = Launch(tmp_path, "a")
    launch.attempts["a"] = launch.begin("a", **about)
    launch.look()
    assert launch.look(PATIENCE) == []
    launch.attempts["a"] = launch.begin("a")
    assert launch.look() == ["a"]


def test_only_an_unfinished_training_could_use_more(tmp_path: Path) -> None:
    ledger, job = Ledger(tmp_path), training(tmp_path, "a")
    evaluate = Job("evaluate", "e", "evaluate", {}, {}, job.config, "", str(tmp_path))
    work = Work("w", "w", (job, evaluate), frozenset())
    found = smaller_of(work, CPU, 1, ledger)
    assert found is not None
    assert found.job is job
    assert smaller_of(work, CPU, 2, ledger) is None
    ledger.begin("train", "a", {}).finish({}, {}, "", [])
    assert smaller_of(work, CPU, 1, ledger) is None, "the evaluation goes on with what it has"
