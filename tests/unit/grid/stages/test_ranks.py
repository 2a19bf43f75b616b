"""What a training on several devices says when it ends early: the cause, and whether to try again."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ranks import together

from grid.ledger.ledger import Fenced
from grid.stages import ranks
from grid.stages.ranks import Helper, HelperError, RankLost, Report, Team, all_ranks, no_helpers
from modules.layers.gathering import gathered

BROKEN = RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer [127.0.0.1]:4711")
LOST = Report("killed by SIGKILL", lost=True)


class Ended(Team):
    """Helpers that have ended, in a world without processes."""

    def __init__(self, reports: Mapping[int, Report]) -> None:
        self.reports, self.stopped = reports, False

    def ended(self) -> Mapping[int, Report]:
        return self.reports

    def stop(self) -> None:
        self.stopped = True


def cause(error: Exception, reports: Mapping[int, Report], devices: int = 3) -> Exception:
    """What is raised for rank 0's error."""
    try:
        ranks._raise_cause(error, Ended(reports), devices)
    except Exception as found:
        return found
    return error


def test_a_lost_process_is_the_cause_whatever_the_others_say() -> None:
    own = ValueError("training loss is nan")
    consequence = Report("RuntimeError: Connection closed by peer", "", True)
    for error in (BROKEN, own):
        found = cause(error, {1: LOST, 2: consequence})
        assert isinstance(found, RankLost)
        assert str(found) == "the process of rank 1 of 3 was lost (killed by SIGKILL)"


def test_an_error_of_a_helper_is_the_cause_of_a_broken_connection() -> None:
    found = cause(BROKEN, {1: Report("gloo: closed", "", True), 2: Report("ValueError: x (my_loss.py:3)", "Traceback ...")})
    assert isinstance(found, HelperError)
    assert str(found) == "ValueError: x (my_loss.py:3)"
    assert found.__notes__ == ["in rank 2 of 3:\nTraceback ..."]


def test_an_error_of_rank_0_is_its_own_cause() -> None:
    own = ValueError("training loss is nan")
    assert cause(own, {}) is own
    assert cause(own, {1: Report("gloo: closed", "", True), 2: Report("ValueError: the same", "")}) is own


def test_ranks_that_do_not_answer_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "SETTLE", 0.3)
    began = time.monotonic()
    found = cause(BROKEN, {})
    assert isinstance(found, RankLost)
    assert "lost touch" in str(found)
    assert 0.3 <= time.monotonic() - began < 10


def waiting(start: Callable[[Sequence[Helper]], Team]) -> Any:
    """The context of a rank 0 that starts its helpers so."""
    about: dict[str, Any] = {"helper": None, "memory_probe": None, "accelerator": "cpu"}
    return SimpleNamespace(**about, host=lambda: "127.0.0.1", start_helpers=start)


@pytest.mark.parametrize(
    ("report", "kind", "words"),
    [
        (LOST, RankLost, r"the process of rank 1 of 2 was lost \(killed by SIGKILL\)"),
        (Report("ValueError: no face"), HelperError, "ValueError: no face"),
        (Report(), RankLost, "ended before the others began"),
    ],
)
def test_a_helper_that_ends_before_the_training_begins_ends_it(report: Any, kind: type[Exception], words: str) -> None:
    team = Ended({1: report})
    asked: list[Helper] = []

    def start(helpers: Sequence[Helper]) -> Team:
        asked.extend(helpers)
        return team

    context = waiting(start)
    with pytest.raises(kind, match=words), all_ranks(context, 2, "train/x/checkpoints/1.ckpt"):
        raise AssertionError("it began")
    assert team.stopped
    assert [(one.rank, one.world, one.resume) for one in asked] == [(1, 2, "train/x/checkpoints/1.ckpt")]


def test_helpers_that_are_never_ready_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "READY", 0.3)
    team = Ended({})
    context = waiting(lambda _: team)
    with pytest.raises(RankLost, match="not ready"), all_ranks(context, 2, None):
        raise AssertionError("it began")
    assert team.stopped


def test_a_fenced_attempt_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    team = Ended({1: LOST})
    context = waiting(lambda _: team)
    monkeypatch.setattr(ranks, "_await_ready", lambda *_: (_ for _ in ()).throw(Fenced("overtaken")))
    with pytest.raises(Fenced, match="overtaken"), all_ranks(context, 2, None):
        raise AssertionError("it began")
    assert team.stopped


def test_a_measurement_is_one_of_several_ranks_and_starts_none() -> None:
    context = waiting(no_helpers)
    context.memory_probe = lambda: None
    with all_ranks(context, 3, None) as rank:
        assert (rank.number, rank.world, torch.distributed.get_world_size()) == (0, 3, 3)
        rows = torch.arange(4.0, requires_grad=True)
        whole = gathered(rows)
        assert whole.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
        whole.sum().backward()
        assert rows.grad is not None
        assert len(rows.grad) == 4
    assert not torch.distributed.is_initialized()


def test_one_device_needs_nobody() -> None:
    with all_ranks(waiting(no_helpers), 1, None) as rank:
        assert rank is None
    with pytest.raises(ValueError, match=r"compute\.devices: nothing starts the other 1 ranks"):
        no_helpers([Helper(1, 2, "127.0.0.1", 1, None)])


NOTICED = """
import time
import torch
from grid.stages.ranks import Report, Team, _watched

class Ended(Team):
    def ended(self):
        return {1: Report(**report)}
    def stop(self):
        pass

try:
    with _watched(Ended(), "gpu"):
        limit = time.monotonic() + seconds
        while torch.distributed.is_initialized() and time.monotonic() < limit:
            time.sleep(0.1)
        torch.distributed.all_reduce(torch.ones(1))
except Exception as error:
    result = [type(error).__name__]
"""


@pytest.mark.parametrize(
    ("report", "seconds", "raised"),
    [
        ({"error": "killed by SIGKILL", "lost": True}, 60.0, ["DistError"]),
        ({"error": "OutOfMemoryError: CUDA out of memory"}, 60.0, ["DistError"]),
        ({}, 2.5, None),  # it has ended, as it was to
    ],
    ids=str,
)
def test_a_helper_that_is_lost_or_fails_ends_the_process_group_in_which_nccl_would_wait(
    tmp_path: Path, report: Any, seconds: float, raised: list[str] | None
) -> None:
    """Here gloo is aborted instead of nccl."""
    assert together(tmp_path, 1, NOTICED, report=report, seconds=seconds) == [raised]
