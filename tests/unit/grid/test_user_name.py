import os
import pwd
from pathlib import Path

import pytest

from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.user_name import user_name


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container or a job of a scheduler."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)


def test_a_user_without_variables_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ("ada",))
    assert user_name() == "ada"
    assert Lock(LocalStore(tmp_path), "a launch")._me()["user"] == "ada"


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert user_name() == f"uid {os.getuid()}"
