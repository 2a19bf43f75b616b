"""Why Ray lost a process, from the exceptions that Ray raises then (tests/cluster takes real nodes away)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray import cloudpickle
from ray.tune.error import TuneError

from grid.execution import ray_losses
from grid.execution.ray_losses import (
    LONGEST,
    error_of,
    killed_for_memory,
    node_was_lost,
    one_is_gone,
    ray_error_in,
    reason_of,
    suspects,
    was_asked_to_end,
)
from grid.stages.ranks import RankLost


def unavailable() -> ray.exceptions.ActorUnavailableError:
    return ray.exceptions.ActorUnavailableError("RPC error: Socket closed", None)


def test_the_error_of_a_trial_is_read_from_the_drivers_folder(tmp_path: Path) -> None:
    file = tmp_path / "error.pkl"
    trial = SimpleNamespace(pickled_error_file=str(file), error_file=None)
    assert error_of(trial) is None
    file.write_bytes(cloudpickle.dumps(unavailable()))
    assert isinstance(error_of(trial), ray.exceptions.ActorUnavailableError)
    assert error_of(SimpleNamespace(pickled_error_file=None, error_file=None)) is None
    file.write_bytes(b"cno_such_module\nError\n.")
    assert error_of(trial) is None


def test_of_an_error_that_tune_does_not_store_the_text_is_read(tmp_path: Path) -> None:
    """As in ``Trial.handle_error``, which appends to the file."""
    file = tmp_path / "error.txt"
    trial = SimpleNamespace(pickled_error_file=None, error_file=str(file))
    assert error_of(trial) is None
    first = "Failure # 1 (occurred at 2026-11-27_23-24-51)\nThe actor is not schedulable: no\n"
    file.write_text(
        first
        + "Failure # 2 (occurred at 2026-11-27_23-25-51)\n1 worker(s) were killed due to the node\nrunning low on memory.\n"
    )
    error = error_of(trial)
    assert isinstance(error, ray.exceptions.RayError)
    assert str(error) == "1 worker(s) were killed due to the node\nrunning low on memory."
    assert killed_for_memory(error)
    assert not node_was_lost(error)
    file.write_text(first)
    assert not killed_for_memory(error_of(trial))


def test_why_a_process_did_not_start_is_one_line() -> None:
    trace = 'Traceback (most recent call last):\n  File "agent.py", line 561, in _create\nFileExistsError: working_dir_files'
    assert reason_of(ray.exceptions.RuntimeEnvSetupError(f"[node 192.0.2.2] {trace}")) == (
        "Failed to set up runtime environment. [node 192.0.2.2] FileExistsError: working_dir_files"
    )
    failed = ray.exceptions.RayActorError(error_msg=f"raised in its creation task\n{trace}", actor_init_failed=True)
    assert reason_of(failed) == "FileExistsError: working_dir_files"
    assert reason_of(ray.exceptions.RayActorError(error_msg="its worker process has died")) == ""
    assert reason_of(ValueError("no")) == reason_of(None) == ""
    assert len(reason_of(ray.exceptions.RayError("x" * 5000))) == LONGEST


def test_of_a_lost_rank_its_own_words_are_said() -> None:
    lost = ray.exceptions.RayTaskError("train", "Traceback (most recent call last):\n  ^^^^", RankLost("rank 1 of 2\nwas lost"))
    assert reason_of(lost) == reason_of(lost.as_instanceof_cause()) == "rank 1 of 2 was lost"


def test_an_error_of_ray_is_found_behind_that_of_tune() -> None:
    """As ``RayActorManager._actor_task_failed`` raises it, and as ``TuneController`` wraps it."""
    memory, inner, outer = ray.exceptions.OutOfMemoryError("low"), RuntimeError("Caught"), TuneError("some traceback")
    inner.__cause__, outer.__context__ = memory, inner
    assert ray_error_in(outer) is memory
    assert ray_error_in(TuneError("of our own callback")) is None


def test_a_kill_for_memory_is_told_from_other_kills() -> None:
    assert killed_for_memory(ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory"))
    assert killed_for_memory(ray.exceptions.RayActorError(error_msg="Worker exit type: NODE_OUT_OF_MEMORY"))
    said = "There are some potential root causes. (1) The process is killed by SIGKILL by OOM killer due to high memory usage"
    assert not killed_for_memory(ray.exceptions.RayActorError(error_msg=said))
    assert not killed_for_memory(None)


def test_preemption_and_a_dead_node_are_no_fault_of_the_work() -> None:
    assert node_was_lost(ray.exceptions.RayActorError(preempted=True))
    assert node_was_lost(ray.exceptions.RayActorError(error_msg="The actor died because its node has died. Node Id: ab"))
    assert node_was_lost(ray.exceptions.NodeDiedError("because the node it was running on is dead or unavailable."))
    assert not node_was_lost(ray.exceptions.RayActorError(error_msg="its worker process has died"))
    assert not node_was_lost(unavailable())
    assert not node_was_lost(ValueError("node has died"))
    assert not node_was_lost(None)


def test_a_process_that_was_asked_to_end_is_told_from_others() -> None:
    said = "Worker exits with an exit code 1. The process receives a SIGTERM."
    assert was_asked_to_end(ray.exceptions.RayActorError(error_msg=said))
    assert not was_asked_to_end(ray.exceptions.RayActorError(error_msg="its worker process has died"))
    assert not was_asked_to_end(ray.exceptions.RayTaskError("train", said, ValueError(said))), "raised by the stage itself"
    assert not was_asked_to_end(None)


def test_a_node_may_have_been_lost_where_its_process_does_not_answer_or_where_there_are_several() -> None:
    died = ray.exceptions.RayActorError(error_msg="its worker process has died")
    assert suspects(unavailable(), {"node": "ab"}) == suspects(unavailable(), {"node": "ab", "nodes": "[]"}) == ["ab"]
    assert suspects(unavailable(), {}) == []
    assert suspects(died, {"node": "ab"}) == [], "its node could say that the process has ended"
    assert suspects(died, {"node": "ab", "nodes": '["ab", "cd"]'}) == ["ab", "cd"]


def test_one_of_several_nodes_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = [{"NodeID": "ab", "Alive": True}, {"NodeID": "cd", "Alive": False}]
    monkeypatch.setattr(ray_losses, "_nodes", lambda: alive)
    assert one_is_gone(["ab", "cd"])
    assert one_is_gone(["ef"])
    assert not one_is_gone(["ab"])
    assert not one_is_gone([])
