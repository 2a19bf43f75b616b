"""Launches on machines that are set up badly."""

from pathlib import Path
from typing import Any

import pytest
from launching import cells, facegrid, grid, sound

pytestmark = pytest.mark.timeout(900)


def single(tree: dict[str, Any]) -> None:
    del tree["axes"], tree["skip"], tree["explainers"]


@pytest.mark.slow
def test_a_long_temporary_folder_and_no_home_folder_do_not_matter(tmp_path: Path) -> None:
    """Ray's sockets would have paths that are too long, and its token could not be written."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    said = facegrid(tmp_path, "launch", grid(tmp_path / "tiny.yaml", single), TMPDIR=str(long), HOME="/proc")
    assert len(cells(tmp_path / "studies" / "tiny")) == 1
    assert "Traceback" not in said
    sound(tmp_path / "studies" / "tiny")
    first = said.splitlines()[0]
    assert first == "tiny: checking the grid, its data and its networks"
    assert "; 2 stages to run on the CPU" in said or "; 2 stages to run on a GPU" in said


def test_a_token_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """Ray writes the token that its mode requires to the home folder; no folder can be made in /proc."""
    grid_file = grid(tmp_path / "tiny.yaml", single)
    said = facegrid(tmp_path, "launch", grid_file, code=2, HOME="/proc", RAY_AUTH_MODE="token")
    assert "Traceback" not in said
    assert "Ray cannot write its token to /proc/.ray/auth_token (No such file or directory); set RAY_AUTH_TOKEN" in said
