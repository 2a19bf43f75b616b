"""``debug --fast`` of the first cell of every small grid: a shipped grid must not fail after an hour of training."""

from pathlib import Path

import pytest
from quick_checks import REAL, SMALL, checked

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("name", SMALL)
def test_the_first_cell_of_a_small_grid_runs(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    stages, said = checked(name, tmp_path, request.getfixturevalue("shared") if name in REAL else None)
    assert [stage for stage in stages if f"  {stage}: " not in said] == []
    assert "  train: " in said
