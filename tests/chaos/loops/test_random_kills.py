"""The driver is killed at random moments until the launch gets through: each kill costs nothing that was finished."""

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "grids"))

from launching import Facegrid, Store, facegrid, sound

pytestmark = pytest.mark.timeout(1800)
KILLS = 5
STUDY = Path("studies", "tiny")


@pytest.mark.parametrize("seed", [0])
def test_a_launch_that_is_killed_at_random_gets_through(undisturbed: Any, tmp_path: Path, seed: int) -> None:
    """A moment is random from the start of the driver on, so some kills hit its imports, some Ray, most the cells."""
    dice, store = random.Random(seed), Store(tmp_path / STUDY / "store")
    began = time.monotonic()
    facegrid(tmp_path, "plan", undisturbed.grid)
    start = 2 * (time.monotonic() - began)  # of a driver, on this machine as busy as it is now
    done: dict[tuple[str, str], int] = {}
    for _ in range(KILLS):
        with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_PAUSE="0.05") as driver:
            limit = time.monotonic() + dice.uniform(0, start + 20)
            while driver.process.poll() is None and time.monotonic() < limit:
                time.sleep(0.05)
            driver.kill()
            code = driver.process.returncode
            assert code in (0, -9), driver.said
        attempts = store.attempts()
        assert {key: attempts[key] for key in done} == done, "a finished stage ran again"
        done = {key: attempts[key] for key in store.markers()}
        assert store.contents().items() <= undisturbed.contents.items()
    facegrid(tmp_path, "launch", undisturbed.grid)
    attempts = store.attempts()
    assert {key: attempts[key] for key in done} == done
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
