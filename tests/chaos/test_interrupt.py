"""A launch that is interrupted, as a terminal or a scheduler does it, says so, and the next one goes on."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, gone, here, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def training(store: Store, before: dict[tuple[str, str], int]) -> bool:
    """Whether a training that is not done was begun since ``before``."""
    return any(
        kind == "train" and store.ledger.attempts(kind, id) > before.get((kind, id), 0) for kind, id, _ in store.claims()
    )


@pytest.mark.slow
def test_an_interrupted_launch_says_so_and_goes_on_later(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    """Ctrl-C, then what a scheduler sends, then in peace."""
    store = Store(tmp_path / STUDY / "store")
    finished: dict[tuple[str, str], int] = {}
    for number, workers in ((signal.SIGINT, 2), (signal.SIGTERM, 1)):
        before, options = store.attempts(), ("launch", undisturbed.grid, f"launch.concurrency={workers}")
        with Facegrid(tmp_path, *options, FACEGRID_TEST_HOLD=str(hold)) as driver:
            driver.until(lambda before=before: training(store, before) and store.half_trained())
            if number == signal.SIGINT:
                os.killpg(driver.process.pid, number)  # a terminal sends it to the whole group
            else:
                driver.signal(number)
            assert driver.wait(240) == 130, driver.said
            assert "interrupted" in driver.said
            assert "Traceback" not in driver.said
            gone(driver.family)
        attempts = store.attempts()
        assert {key: attempts[key] for key in finished} == finished
        finished = {key: attempts[key] for key in store.markers()}
    here(tmp_path, "launch", undisturbed.grid, "launch.executor=local")
    attempts = store.attempts()
    assert {key: attempts[key] for key in finished} == finished
    assert store.contents() == undisturbed.contents
    assert store.resumed()
    sound(tmp_path / STUDY)


@pytest.mark.parametrize(
    ("executor", "second"), [("ray", signal.SIGINT), pytest.param("local", signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_launch_that_is_interrupted_twice_ends_at_once_and_goes_on_later(
    undisturbed: Any, tmp_path: Path, hold: Path, executor: str, second: signal.Signals
) -> None:
    store, where = Store(tmp_path / STUDY / "store"), f"launch.executor={executor}"
    options = ("launch", undisturbed.grid, where, "launch.concurrency=1")
    with Facegrid(tmp_path, *options, FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        driver.signal(signal.SIGINT)
        time.sleep(0.5)
        driver.signal(second)
        # Where the first one was answered within the half second, the second may meet Python on its way out, without handlers.
        assert driver.wait(120) in (130, -second), driver.said
        gone(driver.family)
        assert driver.said.count("stopping the workers") == 1
        assert "the same command goes on from here" in driver.said
        assert "Traceback" not in driver.said
        assert "Exception ignored" not in driver.said
    done, before = store.contents(), store.attempts()
    hold.unlink()
    here(tmp_path, "launch", undisturbed.grid, "launch.executor=local")
    after = store.attempts()
    assert {key: after[key] for key in done} == {key: before[key] for key in done}
    assert half in store.resumed()
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
