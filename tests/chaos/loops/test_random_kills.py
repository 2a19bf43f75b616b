"""The driver is killed at random moments until the launch gets through: each kill costs nothing that was finished."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, facegrid, sound

pytestmark = pytest.mark.timeout(1800)
KILLS = 5
STUDY = Path("studies", "tiny")


def written(store: Store) -> int:
    """How many steps the ledger has taken note of: claims, checkpoints, markers."""
    return sum(1 for form in ("claims/*.json", "*/events/*.json", "done-*.json") for _ in store.path.glob(f"*/*/{form}"))


@pytest.mark.parametrize("seed", [0])
def test_a_launch_that_is_killed_at_random_gets_through(undisturbed: Any, tmp_path: Path, seed: int) -> None:
    """The first kill hits the start of a driver; the others come at or soon after some write to the ledger."""
    dice, store = random.Random(seed), Store(tmp_path / STUDY / "store")
    done: dict[tuple[str, str], int] = {}
    for kill in range(KILLS):
        until = written(store) + (dice.randint(2, 10) if kill else 0)
        with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_PAUSE="0.05") as driver:
            while driver.process.poll() is None and written(store) < until:
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.5 if kill else 10))
            driver.kill()
            code = driver.process.returncode
            assert code in (0, -9), driver.said
        attempts = store.attempts()
        assert {key: attempts[key] for key in done} == done, "a finished stage ran again"
        done = {key: attempts[key] for key in store.markers()}
        assert store.contents().items() <= undisturbed.contents.items()
    assert done, "the kills left nothing time to end"
    facegrid(tmp_path, "launch", undisturbed.grid)
    attempts = store.attempts()
    assert {key: attempts[key] for key in done} == done
    assert max(attempts.values()) > 1, "no kill met a stage at work"
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
