"""What becomes of waiting work when the nodes of a cluster change (tests/cluster/test_nodes.py takes a real one away)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial

from grid.execution.living_nodes import LOOK, LivingNodes, replacing
from grid.execution.slots import Slots

CPUS = {"CPU": 1.0}


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Resources": resources or CPUS}


class Cluster:
    """Nodes that come and go, and a clock."""

    def __init__(self) -> None:
        self.nodes, self.time, self.looks = [node(), node()], 0.0, 0
        self.slots = Slots(CPUS, [CPUS, CPUS])
        self.living = LivingNodes(self.slots, self.look, lambda: self.time)

    def look(self) -> list[dict[str, Any]]:
        self.looks += 1
        return self.nodes

    def changed(self) -> bool:
        self.time += LOOK
        return self.living.changed()


def test_the_slots_follow_the_living_nodes() -> None:
    cluster = Cluster()
    assert not cluster.changed()
    cluster.nodes[1] = node(alive=False)
    assert not cluster.living.changed(), "it has just looked"
    assert cluster.looks == 1
    assert cluster.changed()
    assert cluster.slots.room("any") == 1
    assert not cluster.changed()
    cluster.nodes.append(node(CPU=4.0))
    assert cluster.changed()
    assert cluster.slots.room("any") == 5
    cluster.nodes = [node(CPU=4.0), node(alive=False), node()]
    assert not cluster.changed(), "the same nodes in another order"


class Controller:
    """Tune's controller, as far as a scheduler uses it."""

    def __init__(self, *trials: tuple[str, str]) -> None:
        self.placed: list[str] = []
        self.trials = [self.trial(*one) for one in trials]
        self._tune_controller = SimpleNamespace(
            _staged_trials=self.trials[:1], _unstage_trial_with_resources=lambda trial: self.unstaged.append(trial.trial_id)
        )
        self.unstaged: list[str] = []
        self.stopped: list[str] = []

    def trial(self, id: str, status: str) -> Any:
        metadata = SimpleNamespace(last_result={})
        return SimpleNamespace(
            trial_id=id, status=status, run_metadata=metadata, init_local_path=lambda: self.placed.append(id)
        )

    def get_trials(self) -> list[Any]:
        return self.trials

    def stop_trial(self, trial: Any) -> None:
        trial.status = Trial.TERMINATED
        self.stopped.append(trial.trial_id)


class Placed:
    def __init__(self, fitting: str) -> None:
        self.fitting, self.withdrawn, self.kept = fitting, list[str](), list[str]()

    def fits(self, trial_id: str) -> bool:
        return trial_id in self.fitting

    def withdraw(self, trial_id: str) -> None:
        self.withdrawn.append(trial_id)

    def keep(self, trial_id: str) -> None:
        self.kept.append(trial_id)

    def smaller(self, trial_ids: Any) -> Any:
        return list(trial_ids)

    waiting = smaller


def test_every_look_at_what_could_grow_knows_what_runs_and_what_waits() -> None:
    looks: list[tuple[list[str], list[str]]] = []

    def look(smaller: list[str], waiting: list[str], end_idle: Any) -> None:
        looks.append((smaller, waiting))
        end_idle()

    due = [True, False, True]
    growth = SimpleNamespace(due=lambda: due.pop(0), look=look)
    controller = Controller(("a", Trial.RUNNING), ("b", Trial.TERMINATED), ("c", Trial.RUNNING), ("d", Trial.PENDING))
    ended: list[bool] = []
    controller._tune_controller._cleanup_cached_actors = lambda force_all: ended.append(force_all)
    scheduler = replacing(Cluster().living, Placed("d"), growth)  # type: ignore[arg-type]
    assert scheduler.choose_trial_to_run(controller).trial_id == "d"
    controller.trials.pop()
    for _ in range(2):
        assert scheduler.choose_trial_to_run(controller) is None
    assert looks == [(["a", "c"], ["d"]), (["a", "c"], [])]
    assert ended == [True, True]


def test_only_waiting_work_that_no_longer_fits_is_taken_back_and_only_when_nodes_have_changed() -> None:
    cluster, placed = Cluster(), Placed("cd")
    controller = Controller(("a", Trial.PENDING), ("b", Trial.RUNNING), ("c", Trial.PENDING), ("e", Trial.PENDING))
    scheduler = replacing(cluster.living, placed)
    cluster.time += LOOK
    assert scheduler.choose_trial_to_run(controller).trial_id == "a", "it waits for other work, not for a lost node"
    assert controller.stopped == []
    cluster.nodes.pop()
    cluster.time += LOOK
    assert scheduler.choose_trial_to_run(controller).trial_id == "c"
    assert placed.withdrawn == controller.stopped == controller.placed == ["a", "e"]
    assert placed.kept == ["c"]
    assert all(trial.run_metadata.last_result for trial in controller.trials if trial.trial_id in "ae"), "so Tune is silent"
    assert controller.unstaged == ["a"], "Tune had no place for the other one yet"
