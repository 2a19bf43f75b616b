"""A driver that is stopped for longer than its lease (SIGSTOP, a suspended machine) and then goes on."""

import signal
import time
from collections.abc import Iterator
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


@pytest.fixture
def stopped(undisturbed: Any, tmp_path: Path) -> Iterator[Facegrid]:
    """A driver that was stopped for longer than its lease with a training half done; it stays so while ``hold`` exists."""
    (tmp_path / "hold").touch()
    with driver(undisturbed, tmp_path) as started:
        started.until(Store(tmp_path / STUDY / "store").half_trained)
        started.signal(signal.SIGSTOP)
        time.sleep(LEASE + 1)
        yield started


def driver(undisturbed: Any, folder: Path) -> Facegrid:
    return Facegrid(folder, "launch", undisturbed.grid, program=SHORT, FACEGRID_TEST_HOLD=str(folder / "hold"))


def test_a_stopped_driver_steps_down_when_another_has_taken_over(stopped: Facegrid, undisturbed: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / STUDY / "store")
    before = store.attempts()
    with driver(undisturbed, tmp_path) as second:
        second.until(lambda: begun(store, before))
        stopped.signal(signal.SIGCONT)
        assert stopped.wait(120) == 1, stopped.said
        assert "this study was taken over: launch of tiny by" in stopped.said
        assert f"process {second.process.pid}" in stopped.said
        assert "Traceback" not in stopped.said
        (tmp_path / "hold").unlink()
        assert second.wait() == 0, second.said
    began = {key: count - before.get(key, 0) for key, count in store.attempts().items()}
    assert max(began.values()) == 1, "no stage was begun twice after the second launch took over"
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)


def test_a_stopped_driver_goes_on_where_nobody_has_taken_over(stopped: Facegrid, undisturbed: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / STUDY / "store")
    stopped.signal(signal.SIGCONT)
    time.sleep(2)
    assert "this study is in use" in here(tmp_path, "sync", STUDY, code=2)
    (tmp_path / "hold").unlink()
    assert stopped.wait() == 0, stopped.said
    assert set(store.attempts().values()) == {1}
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
