"""A switch that keeps trainings half done."""

from pathlib import Path

import pytest


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """While it is there, every training stops half done; but see ``components.slow``."""
    path = tmp_path / "hold"
    path.touch()
    return path
