"""A driver that is stopped for longer than the default lease, while Ray and the workers go on."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, facegrid, sound

from grid.ledger.lock import LEASE

pytestmark = pytest.mark.timeout(1800)
STUDY = Path("studies", "tiny")
STOPPED = 95.0  # seconds


def test_a_driver_that_was_stopped_for_longer_than_its_lease_goes_on(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    assert STOPPED > LEASE
    store = Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_HOLD=str(hold)) as driver:
        driver.until(store.half_trained)
        before = store.attempts()
        driver.signal(signal.SIGSTOP)
        time.sleep(STOPPED)
        driver.signal(signal.SIGCONT)
        time.sleep(5)
        assert "this study is in use" in facegrid(tmp_path, "sync", STUDY, code=2), "the lapsed lease was taken again"
        assert store.attempts() == before, "nothing was begun again"
        hold.unlink()
        assert driver.wait() == 0, driver.said
        assert "Traceback" not in driver.said
    assert set(store.attempts().values()) == {1}
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)


def test_a_driver_that_was_stopped_for_longer_than_its_lease_steps_down(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    store = Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_HOLD=str(hold)) as first:
        first.until(store.half_trained)
        first.signal(signal.SIGSTOP)
        assert "this study is in use" in facegrid(tmp_path, "launch", undisturbed.grid, code=2), "its lease still runs"
        time.sleep(STOPPED)
        before = store.attempts()
        with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_HOLD=str(hold)) as second:
            second.until(lambda: any(count > before.get(key, 0) for key, count in store.attempts().items()))
            first.signal(signal.SIGCONT)
            assert first.wait(180) == 1, first.said
            assert "this study was taken over: launch of tiny by" in first.said
            assert "Traceback" not in first.said
            hold.unlink()
            assert second.wait() == 0, second.said
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
