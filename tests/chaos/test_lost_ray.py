"""Ray's own processes die in the middle of a launch: it ends soon with one line, and the next launch goes on."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, family, gone, here, sound

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]
STUDY = Path("studies", "tiny")


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_launch_ends_soon_after_ray_and_the_next_one_goes_on(undisturbed: Any, tmp_path: Path, hold: Path, name: str) -> None:
    store = Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", undisturbed.grid, "launch.concurrency=1", FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        (server,) = [process for process in family(driver.family) if process.name() == name]
        os.kill(server.pid, signal.SIGKILL)
        began = time.monotonic()
        assert driver.wait(60) == 1, driver.said
        assert time.monotonic() - began < 45
        assert f"facegrid: Ray's {name} (process {server.pid}) has ended" in driver.said
        assert "the same command goes on" in driver.said
        assert "Traceback" not in driver.said
        gone(driver.family, within=30)
    done, before = store.contents(), store.attempts()
    here(tmp_path, "launch", undisturbed.grid, "launch.executor=local")
    after = store.attempts()
    assert {key: after[key] for key in done} == {key: before[key] for key in done}, "what was finished stays"
    assert half in store.resumed()
    assert store.contents() == undisturbed.contents
    sound(tmp_path / STUDY)
