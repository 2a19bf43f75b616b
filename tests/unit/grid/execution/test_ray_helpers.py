"""Helpers as Ray actors, with a Ray that answers nothing (tests/integration/test_devices.py starts real ones)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ray

from grid.execution import ray_helpers, ray_losses
from grid.execution.ray_helpers import RayHelpers
from grid.execution.ray_losses import killed_for_memory, reason_of, was_asked_to_end
from grid.stages import ranks
from grid.stages.ranks import RankLost, Report


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The nodes that are there: rank 2 has another one than ranks 0 and 1. No actor ever starts."""
    found = {"ab", "cd"}
    group = SimpleNamespace(bundle_specs=[{"CPU": 1.0}] * 3)
    actor = SimpleNamespace(help=SimpleNamespace(remote=lambda task: task))
    made = SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda: actor))
    monkeypatch.setattr(ray.util, "get_current_placement_group", lambda: group)
    monkeypatch.setattr(ray.util, "placement_group_table", lambda group: {"bundles_to_node_id": {2: "cd", 0: "ab", 1: "ab"}})
    monkeypatch.setattr(ray, "remote", lambda cls: made)
    monkeypatch.setattr(ray, "wait", lambda reports, timeout: ([], reports))
    monkeypatch.setattr(ray_losses, "_nodes", lambda: [{"NodeID": one, "Alive": True} for one in sorted(found)])
    return found


def test_a_helper_whose_node_is_gone_before_it_starts_is_lost(alive: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_helpers, "LOOK", -1.0)
    team = RayHelpers().start([{"helper": {"rank": rank}} for rank in (1, 2)])
    assert team.ended() == {}
    alive.remove("cd")
    assert team.ended() == {2: Report("its node has died", lost=True)}


def test_how_a_helper_was_lost_is_known_as_if_rank_0_were(alive: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the process of rank 0 has raised it, and Ray has made it an exception of a task."""

    def cause(error: Exception) -> list[BaseException]:
        monkeypatch.setattr(ray, "wait", lambda reports, timeout: (reports, []))
        monkeypatch.setattr(ray, "get", lambda report: (_ for _ in ()).throw(error))
        with pytest.raises(RankLost) as lost:
            ranks._raise_cause(RuntimeError("gloo: closed"), RayHelpers().start([{"helper": {"rank": 1}}]), 2)
        raised = ray.exceptions.RayTaskError("train", "Traceback", lost.value)
        return [raised, raised.as_instanceof_cause()]

    def died(why: str) -> Exception:
        return ray.exceptions.RayActorError(error_msg=f"The actor is dead because its worker process has died.\n{why}")

    for error in cause(ray.exceptions.OutOfMemoryError("Task was killed")):
        assert killed_for_memory(error)
        assert reason_of(error) == "the process of rank 1 of 2 was lost (killed due to the node running low on memory)"
    for error in cause(died("Worker exits with an exit code 1. The process receives a SIGTERM.")):
        assert was_asked_to_end(error)
        assert not killed_for_memory(error)
    for error in cause(died("(1) The process is killed by SIGKILL by OOM killer due to high memory usage")):
        assert not was_asked_to_end(error)
        assert not killed_for_memory(error)
        assert reason_of(error) == "the process of rank 1 of 2 was lost (RayActorError)"


def test_helpers_without_a_bundle_of_their_own_are_not_started(alive: set[str]) -> None:
    with pytest.raises(RankLost, match="4 ranks need as many bundles, and this unit of work reserved 3"):
        RayHelpers().start([{"helper": {"rank": rank}} for rank in (1, 2, 3)])
