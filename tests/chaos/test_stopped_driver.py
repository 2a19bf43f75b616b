"""A driver that is stopped for longer than its lease (SIGSTOP, a suspended machine) and then goes on."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, facegrid, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
LEASE = 4.0
SHORT = f"""
from functools import partial
import grid.execution.launch
from grid.cli.main import main
from grid.ledger.lock import Lock
grid.execution.launch.Lock = partial(Lock, beat=0.5, lease={LEASE})
main()
"""


def begun(store: Store, before: dict[tuple[str, str], int]) -> bool:
    return any(count > before.get(key, 0) for key, count in store.attempts().items())


def test_a_stopped_driver_steps_down_when_another_has_taken_over(undisturbed: Any, tmp_path: Path) -> None:
    hold, store = tmp_path / "hold", Store(tmp_path / STUDY / "store")
    hold.touch()
    with Facegrid(tmp_path, "launch", undisturbed.grid, program=SHORT, FACEGRID_TEST_HOLD=str(hold)) as first:
        first.until(store.half_trained)
        first.signal(signal.SIGSTOP)
        time.sleep(LEASE + 1)
        before = store.attempts()
        with Facegrid(tmp_path, "launch", undisturbed.grid, program=SHORT, FACEGRID_TEST_HOLD=str(hold)) as second:
            second.until(lambda: begun(store, before))
            first.signal(signal.SIGCONT)
            assert first.wait(120) == 1, first.said
            assert "the study was taken over: launch of tiny by" in first.said
            assert f"process {second.process.pid}" in first.said
            assert "Traceback" not in first.said
            hold.unlink()
            assert second.wait() == 0, second.said
    began = {key: count - before.get(key, 0) for key, count in store.attempts().items()}
    assert max(began.values()) == 1, "no stage was begun twice after the second launch took over"
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)


def test_a_stopped_driver_goes_on_where_nobody_has_taken_over(undisturbed: Any, tmp_path: Path) -> None:
    hold, store = tmp_path / "hold", Store(tmp_path / STUDY / "store")
    hold.touch()
    with Facegrid(tmp_path, "launch", undisturbed.grid, program=SHORT, FACEGRID_TEST_HOLD=str(hold)) as driver:
        driver.until(store.half_trained)
        driver.signal(signal.SIGSTOP)
        time.sleep(LEASE + 1)
        driver.signal(signal.SIGCONT)
        time.sleep(2)
        assert "this study is in use" in facegrid(tmp_path, "sync", STUDY, code=2)
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert set(store.attempts().values()) == {1}
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
