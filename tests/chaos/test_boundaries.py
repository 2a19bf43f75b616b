"""A launch is killed at one write of each form that the ledger knows, and launched again.

``loops/test_every_boundary.py`` kills one at every write.
"""

from pathlib import Path

import pytest
from boundaries import Calm, Moment, Place, killed_and_launched_again
from slow import slow

pytestmark = pytest.mark.timeout(900)
BOUNDARIES: dict[str, tuple[str, int, Moment]] = {  # what is left -> regular expression of the key, its how many-th write, when
    "a record without its copy": (r"^plan\.json", 1, "after"),
    "a store without an id": (r"^store\.json", 1, "within"),
    "a lock that was not released": (r"^lock/.*\.json", 1, "after"),
    "a shard that was claimed": (r"detect_shard/.*/claims/", 2, "after"),
    "a checkpoint that no event names": (r"^pretrain/.*/checkpoints/", 2, "after"),
    "a training of one epoch": (r"^train/.*/events/", 1, "after"),
    "a result without its marker": (r"^trial/.*/done-", 3, "within"),
    "a search that has chosen": (r"^search/.*/done-", 1, "after"),
    "all stages, no report": (r"^score/.*/done-", 1, "after"),
    "a report that MLflow does not have": (r"^made\.json", 1, "after"),
}
FAST = [
    "a record without its copy",
    "a training of one epoch",
    "a result without its marker",
]
NO_RESUME = "from grid.ledger.attempt import Attempt; Attempt.resumable = lambda self: None"
AGAIN = """
from grid.execution import job, perform
from grid.ledger.records import State, Status
from grid.plan import plan
plan._States._look = lambda self, node: Status(State.RUN)
perform.finished = lambda ledger, one: False
job._elsewhere = lambda ledger, one, failed: None
"""


@pytest.mark.parametrize("left", [*FAST, *slow(name for name in BOUNDARIES if name not in FAST)])
def test_the_next_launch_makes_a_kill_good_that_leaves(every_kind: Calm, tmp_path: Path, left: str) -> None:
    form, number, moment = BOUNDARIES[left]
    assert killed_and_launched_again(Place(tmp_path / "killed"), every_kind, number, moment, form) is not None


def test_a_launch_that_does_not_resume_is_noticed(every_kind: Calm, tmp_path: Path) -> None:
    """The check above can fail: here checkpoints are ignored, and the numbers are right nevertheless."""
    with pytest.raises(AssertionError, match="pretrain goes on from its checkpoint"):
        killed_and_launched_again(Place(tmp_path / "killed"), every_kind, 1, "after", r"^pretrain/.*/events/", NO_RESUME)


def test_a_launch_that_computes_finished_stages_again_is_noticed(every_kind: Calm, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="what was done stays"):
        killed_and_launched_again(Place(tmp_path / "killed"), every_kind, 1, "after", r"^detect/.*/done-", AGAIN)
