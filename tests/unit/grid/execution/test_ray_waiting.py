"""What a launch on Ray waits for is printed until its first stage begins."""

from types import SimpleNamespace
from typing import Any

from grid.execution.executor import Session
from grid.execution.ray_waiting import EVERY, FirstStage
from grid.execution.ray_watch import watch
from grid.execution.scheduler import WorkQueue
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger

PROCESS = "waiting for Ray to start a process"
TORCH = "waiting for it to import torch and begin its stage"


class Launch:
    """A launch with a clock that a test sets."""

    def __init__(self, cluster: bool = False) -> None:
        self.time, self.said = 100.0, list[str]()
        self.first = FirstStage(self.said.append, cluster, lambda: self.time)

    def after(self, seconds: float) -> list[str]:
        """What has been printed since the last call."""
        self.time += seconds
        self.first.look()
        said, self.said[:] = list(self.said), []
        return said


def test_each_step_to_the_first_stage_has_one_line() -> None:
    launch = Launch()
    assert launch.after(0) == [PROCESS]
    launch.first.started()
    launch.first.started()
    assert launch.after(1) == [f"the first process is there; {TORCH}"]
    launch.first.began()
    launch.first.started()
    assert launch.after(10 * EVERY) == []


def test_a_long_wait_is_repeated_and_says_where_to_look() -> None:
    launch = Launch()
    assert launch.after(EVERY - 1) == [PROCESS]
    assert launch.after(1) == [f"no stage has begun after 0:30: {PROCESS}; `ray status` shows what is pending"]
    assert launch.after(EVERY - 1) == []
    assert launch.after(1) == [f"no stage has begun after 1:00: {PROCESS}; `ray status` shows what is pending"]
    launch.first.started()
    assert launch.after(0) == [f"the first process is there; {TORCH}"]
    assert launch.after(EVERY) == [f"no stage has begun after 1:30: {TORCH}"]


def test_a_process_that_is_lost_is_waited_for_again() -> None:
    launch = Launch()
    launch.first.lost()
    assert launch.after(0) == [PROCESS], "nothing was there to lose"
    launch.first.started()
    launch.first.lost()
    assert launch.after(0) == [f"the first process is there; {TORCH}", PROCESS]
    launch.first.began()
    launch.first.lost()
    assert launch.after(EVERY) == []


def test_a_cluster_waits_for_room_and_code() -> None:
    assert Launch(cluster=True).after(0) == ["waiting for a node with room and for Ray to unpack facegrid's code there"]


def test_tune_tells_it_what_happens(tmp_path: Any) -> None:
    launch, trial = Launch(), SimpleNamespace(config={}, last_result={}, is_finished=lambda: False)
    slots = Slots({"CPU": 1}, [{"CPU": 1}])
    callback = watch(Session(WorkQueue({}, set()), Ledger(tmp_path)), slots, 0, launch.first)
    callback.on_trial_start(1, [], trial)
    callback.on_trial_error(1, [], trial)
    callback.on_trial_start(1, [], trial)
    assert len(launch.after(0)) == 4
    launch.time += EVERY
    callback.on_step_end(1, [trial])
    callback.on_trial_result(1, [], trial, {})
    assert launch.after(EVERY) == [f"no stage has begun after 0:30: {TORCH}"]
