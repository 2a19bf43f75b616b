"""Why Ray lost a process, from the exceptions that Ray raises then (tests/cluster takes real nodes away)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray import cloudpickle
from ray.tune.error import TuneError

from grid.execution import ray_losses
from grid.execution.ray_losses import LONGEST, error_of, killed_for_memory, node_was_lost, one_is_gone, ray_error_in, reason_of
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
    assert not node_was_lost(error, "ab")
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
    assert node_was_lost(ray.exceptions.RayActorError(preempted=True), None)
    assert node_was_lost(ray.exceptions.RayActorError(error_msg="The actor died because its node has died. Node Id: ab"), None)
    assert node_was_lost(ray.exceptions.NodeDiedError("because the node it was running on is dead or unavailable."), None)
    assert not node_was_lost(ray.exceptions.RayActorError(error_msg="its worker process has died"), "ab")
    assert not node_was_lost(ValueError("node has died"), "ab")
    assert not node_was_lost(None, "ab")


def test_a_node_of_several_that_is_gone_is_noticed_as_soon_as_ray_does(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = [{"NodeID": "ab", "Alive": True}, {"NodeID": "cd", "Alive": True}]
    answers = [alive, alive, alive[:1]]
    monkeypatch.setattr(ray_losses, "POLL", 0.0)
    monkeypatch.setattr(ray_losses, "_nodes", lambda: answers.pop(0) if answers else alive)
    assert not one_is_gone(["ab", "cd"])
    assert one_is_gone(["ab", "cd"], patience=60.0)
    assert not answers
    assert not one_is_gone([], patience=60.0), "it waits for nothing"


def test_a_process_that_was_asked_to_end_was_lost_with_its_node_if_that_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Worker exits with an exit code 1. The process receives a SIGTERM."
    answers = [[{"NodeID": "ab", "Alive": True}], [{"NodeID": "ab", "Alive": False}]]
    monkeypatch.setattr(ray_losses, "POLL", 0.0)
    monkeypatch.setattr(ray_losses, "_nodes", lambda: answers.pop(0))
    assert node_was_lost(ray.exceptions.RayActorError(error_msg=said), "ab")
    assert not answers
    monkeypatch.setattr(ray_losses, "_nodes", lambda: [{"NodeID": "ab", "Alive": True}])
    assert not node_was_lost(ray.exceptions.RayActorError(error_msg=said), "ab", patience=0.05)


def test_where_ray_does_not_know_yet_the_node_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[{"NodeID": "ab", "Alive": True}], [{"NodeID": "ab", "Alive": True}], [{"NodeID": "ab", "Alive": False}]]
    monkeypatch.setattr(ray_losses, "POLL", 0.0)
    monkeypatch.setattr(ray_losses, "_nodes", lambda: answers.pop(0))
    assert node_was_lost(unavailable(), "ab")
    assert not answers
    monkeypatch.setattr(ray_losses, "_nodes", lambda: [{"NodeID": "ab", "Alive": True}])
    assert not node_was_lost(unavailable(), "ab", patience=0.05)
    assert not node_was_lost(unavailable(), None)
