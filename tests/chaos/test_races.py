"""Four launches of one fresh study at the same moment."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from launching import PATIENCE, Facegrid, Store, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def test_of_four_launches_at_once_one_runs(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    """``hold`` keeps the one that runs from ending before the others have met it."""
    with ExitStack() as stack:
        words = ("launch", undisturbed.grid, "launch.executor=local")
        drivers = [stack.enter_context(Facegrid(tmp_path, *words, FACEGRID_TEST_HOLD=str(hold))) for _ in range(4)]
        limit = time.monotonic() + PATIENCE
        while sum(driver.process.poll() is None for driver in drivers) > 1:
            assert time.monotonic() < limit, [driver.said for driver in drivers]
            time.sleep(0.1)
        hold.unlink()
        codes = [driver.wait() for driver in drivers]
        said = [driver.said for driver in drivers]
    assert sorted(codes) == [0, *[2] * 3], list(zip(codes, said, strict=True))
    for code, text in zip(codes, said, strict=True):
        assert "Traceback" not in text
        if code == 0:
            assert "; 0 stages to run" not in text
        else:
            assert "this study is in use: launch of tiny by" in text
            assert "process" in text
    store = Store(tmp_path / STUDY / "store")
    assert store.contents() == undisturbed.contents
    assert set(store.attempts().values()) == {1}
    sound(tmp_path / STUDY)
