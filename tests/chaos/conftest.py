"""What these tests share: a switch that keeps trainings half done, and an undisturbed launch."""

import pytest
from boundaries import Calm, calm


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """An undisturbed launch of one cell with every kind of stage; each process of pytest-xdist makes its own, in seconds."""
    return calm(tmp_path_factory.mktemp("every_kind") / "calm")
