"""Why Ray lost a process, from the exceptions that Ray raises then (tests/cluster takes real nodes away)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray import cloudpickle

from grid.execution import ray_losses
from grid.execution.ray_losses import error_of, killed_for_memory, node_was_lost


def unavailable() -> ray.exceptions.ActorUnavailableError:
    return ray.exceptions.ActorUnavailableError("RPC error: Socket closed", None)


def test_the_error_of_a_trial_is_read_from_the_drivers_folder(tmp_path: Path) -> None:
    file = tmp_path / "error.pkl"
    trial = SimpleNamespace(pickled_error_file=str(file))
    assert error_of(trial) is None
    file.write_bytes(cloudpickle.dumps(unavailable()))
    assert isinstance(error_of(trial), ray.exceptions.ActorUnavailableError)
    assert error_of(SimpleNamespace(pickled_error_file=None)) is None
    file.write_bytes(b"cno_such_module\nError\n.")
    assert error_of(trial) is None


def test_a_kill_for_memory_is_told_from_other_kills() -> None:
    assert killed_for_memory(ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory"))
    assert killed_for_memory(ray.exceptions.RayActorError(error_msg="Worker exit type: NODE_OUT_OF_MEMORY"))
    said = "There are some potential root causes. (1) The process is killed by SIGKILL by OOM killer due to high memory usage"
    assert not killed_for_memory(ray.exceptions.RayActorError(error_msg=said))
    assert not killed_for_memory(None)


def test_preemption_and_a_dead_node_are_no_fault_of_the_work() -> None:
    assert node_was_lost(ray.exceptions.RayActorError(preempted=True), None)
    assert node_was_lost(ray.exceptions.RayActorError(error_msg="The actor died because its node has died. Node Id: ab"), None)
    assert not node_was_lost(ray.exceptions.RayActorError(error_msg="its worker process has died"), "ab")
    assert not node_was_lost(ValueError("node has died"), "ab")
    assert not node_was_lost(None, "ab")


def test_where_ray_does_not_know_yet_the_node_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[{"NodeID": "ab", "Alive": True}], [{"NodeID": "ab", "Alive": True}], [{"NodeID": "ab", "Alive": False}]]
    monkeypatch.setattr(ray_losses, "POLL", 0.0)
    monkeypatch.setattr(ray_losses, "_nodes", lambda: answers.pop(0))
    assert node_was_lost(unavailable(), "ab")
    assert not answers
    monkeypatch.setattr(ray_losses, "_nodes", lambda: [{"NodeID": "ab", "Alive": True}])
    assert not node_was_lost(unavailable(), "ab", patience=0.05)
    assert not node_was_lost(unavailable(), None)
