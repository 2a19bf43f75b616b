"""A driver that is stopped for longer than its lease (SIGSTOP, a suspended machine) and then goes on.

It also goes on to the end of its launch, with the default lease: see ``loops/test_long_stop.py``.
"""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, here, sound

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


def driver(undisturbed: Any, hold: Path) -> Facegrid:
    options = ("launch", undisturbed.grid, "launch.concurrency=1")
    return Facegrid(hold.parent, *options, program=SHORT, FACEGRID_TEST_HOLD=str(hold))


def stop(driver: Facegrid) -> None:
    """For longer than its lease."""
    driver.signal(signal.SIGSTOP)
    time.sleep(LEASE + 1)


@pytest.mark.slow
def test_a_stopped_driver_takes_its_lease_again_and_steps_down_where_another_has(
    undisturbed: Any, tmp_path: Path, hold: Path
) -> None:
    store = Store(tmp_path / STUDY / "store")
    with driver(undisturbed, hold) as first:
        first.until(store.half_trained)
        before = store.attempts()
        stop(first)
        first.signal(signal.SIGCONT)
        time.sleep(2)
        assert "this study is in use" in here(tmp_path, "sync", STUDY, code=2), "the lapsed lease was taken again"
        now = store.attempts()
        assert all(now[key] <= max(1, count) for key, count in before.items()), "nothing was begun again"
        stop(first)
        before = store.attempts()
        with driver(undisturbed, hold) as second:
            second.until(lambda before=before: begun(store, before))
            first.signal(signal.SIGCONT)
            assert first.wait(120) == 1, first.said
            assert "this study was taken over: launch of tiny by" in first.said
            assert f"process {second.process.pid}" in first.said
            assert "Traceback" not in first.said
            hold.unlink()
            assert second.wait() == 0, second.said
    began = {key: count - before.get(key, 0) for key, count in store.attempts().items()}
    assert max(began.values()) == 1, "no stage was begun twice after the second launch took over"
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
