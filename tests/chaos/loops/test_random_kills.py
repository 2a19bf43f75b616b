"""Processes are killed at random moments until the launch gets through: each kill costs nothing that was finished."""

import random
from pathlib import Path
from typing import Any

import pytest
from killing import KINDS, Kills

pytestmark = pytest.mark.timeout(7200)
NUMBER = 25


@pytest.mark.parametrize("seed", [0])
def test_random_kills_of_any_process_cost_nothing_that_was_finished(undisturbed: Any, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    kills = Kills(undisturbed, tmp_path, dice)
    kills([*KINDS, *dice.choices(KINDS, k=NUMBER - len(KINDS))])
    assert len(kills.killed) == NUMBER
    assert set(kills.killed) == set(KINDS)
    print(f"{NUMBER} kills in {kills.studies} studies: {', '.join(kills.killed)}")
