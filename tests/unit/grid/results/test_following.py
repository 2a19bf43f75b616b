"""When following a study ends."""

import pytest

from grid.results.following import follow

RUNNING, IDLE, OVER = (True, True), (False, True), (False, False)


@pytest.mark.parametrize(
    ("found", "looks"),
    [
        ([IDLE, IDLE, RUNNING], 2),
        ([IDLE, RUNNING, IDLE, RUNNING, IDLE, IDLE, RUNNING], 6),
        ([OVER, RUNNING], 1),
        ([RUNNING, OVER, RUNNING], 2),
        ([(True, False), RUNNING, IDLE, OVER, RUNNING], 4),
    ],
)
def test_one_look_in_which_nothing_runs_is_the_end_only_if_nothing_is_left(found: list[tuple[bool, bool]], looks: int) -> None:
    slept: list[float] = []
    rest = iter(found)
    follow(lambda: next(rest), 2.0, slept.append)
    assert slept == [2.0] * (looks - 1)
    assert list(rest) == found[looks:]
