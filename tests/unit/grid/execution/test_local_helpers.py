"""Helpers on this machine: what they report, and that none outlives the process that started it."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest

from grid.execution.local_helpers import LocalHelpers, gpu_of
from grid.stages.ranks import Report, Team

BROKEN: dict[str, Any] = {"job": {}, "attempt": {}, "accelerator": "cpu"}  # no job, so a helper ends with an error


def tasks(count: int) -> list[dict[str, Any]]:
    return [{**BROKEN, "helper": {"rank": rank}} for rank in range(1, count + 1)]


def until_all_ended(team: Team, count: int) -> Mapping[int, Report]:
    limit = time.monotonic() + 120
    while len(team.ended()) < count:
        assert time.monotonic() < limit
        time.sleep(0.1)
    return team.ended()


def test_an_error_is_reported_with_its_traceback() -> None:
    team = LocalHelpers().start(tasks(1))
    try:
        report = until_all_ended(team, 1)[1]
    finally:
        team.stop()
    assert not report.lost
    assert "TypeError" in str(report.error)
    assert "Traceback" in report.traceback
    assert not report.consequence


def test_an_error_that_is_longer_than_a_pipe_is_reported_whole() -> None:
    name = "x" * 200_000
    team = LocalHelpers().start([{**BROKEN, "job": {name: 1}, "helper": {"rank": 1}}])
    try:
        report = until_all_ended(team, 1)[1]
    finally:
        team.stop()
    assert name in report.traceback


def test_a_killed_helper_is_lost_and_stopped_ones_are_gone() -> None:
    team: Any = LocalHelpers().start(tasks(2))
    pids = [process.pid for process in team._processes.values()]
    os.kill(pids[0], signal.SIGKILL)
    os.kill(pids[1], signal.SIGSTOP)  # it cannot end by itself
    try:
        assert until_all_ended(team, 1)[1] == Report("killed by SIGKILL", lost=True)
    finally:
        team.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_each_rank_sees_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert gpu_of(1, "gpu") == {"CUDA_VISIBLE_DEVICES": "7"}
    assert gpu_of(1, "cpu") == {}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert [gpu_of(rank, "gpu")["CUDA_VISIBLE_DEVICES"] for rank in (1, 2)] == ["1", "2"]
