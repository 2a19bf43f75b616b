"""Helpers as Ray actors, with a Ray that answers nothing (tests/integration/test_devices.py starts real ones)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ray

from grid.execution import ray_helpers, ray_losses
from grid.execution.ray_helpers import RayHelpers
from grid.stages.ranks import RankLost


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
    assert team.ended() == {2: None}


def test_helpers_without_a_bundle_of_their_own_are_not_started(alive: set[str]) -> None:
    with pytest.raises(RankLost, match="4 ranks need as many bundles, and this unit of work reserved 3"):
        RayHelpers().start([{"helper": {"rank": rank}} for rank in (1, 2, 3)])
