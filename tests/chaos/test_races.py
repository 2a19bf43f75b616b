"""Eight launches of one fresh study at the same moment."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from launching import Facegrid, Store, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def test_of_eight_launches_at_once_one_runs(undisturbed: Any, tmp_path: Path) -> None:
    with ExitStack() as stack:
        drivers = [stack.enter_context(Facegrid(tmp_path, "launch", undisturbed.grid)) for _ in range(8)]
        codes = [driver.wait(400) for driver in drivers]
        said = [driver.said for driver in drivers]
    ran = [text for code, text in zip(codes, said, strict=True) if code == 0 and "; 0 stages to run" not in text]
    assert len(ran) == 1, list(zip(codes, said, strict=True))
    for code, text in zip(codes, said, strict=True):
        assert code in (0, 2), text
        if code == 2:
            assert "this study is in use: launch of tiny by" in text
            assert "process" in text
            assert "Traceback" not in text
    assert codes.count(2) >= 1, "all of them found the study complete: they did not race"
    store = Store(tmp_path / STUDY / "store")
    assert store.contents() == undisturbed.contents
    assert set(store.attempts().values()) == {1}
    sound(tmp_path / STUDY)
