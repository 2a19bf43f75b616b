"""Ranks hear what any of them answered, and nothing before they have asked."""

from pathlib import Path

import pytest
from ranks import together

PROGRAM = """
import torch
from modules.training.agreement import Agreement
agreement = Agreement(torch.device("cpu"))
result = [agreement.heard()]
for mine in answers[rank.number]:
    agreement.ask(mine)
    result.append(agreement.heard())
agreement.ask((True, True))
agreement.ask((False, False))
result += [agreement.heard(), agreement.heard()]
"""


@pytest.mark.parametrize("world", [2, 3])
def test_all_ranks_hear_whether_any_said_yes(tmp_path: Path, world: int) -> None:
    answers = [[(number == 1, number == step) for step in range(3)] for number in range(world)]
    expected = [(), *((True, step < world) for step in range(3)), (False, False), ()]
    assert together(tmp_path, world, PROGRAM, answers=answers) == [expected] * world
