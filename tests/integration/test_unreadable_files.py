"""Files that cannot be read or written end a command with one line and exit code 2, and never with a traceback."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from invented_study import build_study
from small import finish_all

from grid.spec.grid_file import read

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: without them modes hold for root too
PR_CAPBSET_DROP = 24


def obey_modes() -> None:
    for capability in CAPABILITIES:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def facegrid(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from facegrid import main; main()", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200,
        preexec_fn=obey_modes,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done
    assert done.stderr.startswith("facegrid: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def study_file(grid: Callable[..., Path], study: Path) -> Path:
    """The grid file of a study that was planned and written, as a launch leaves it."""
    from grid.execution.launch import write_plan

    file = grid()
    plan = finish_all(read(file))
    study.mkdir(parents=True, exist_ok=True)
    write_plan(plan, read(file))
    return file


@pytest.mark.parametrize("command", ["plan", "launch", "debug"])
def test_a_grid_file_of_mode_000(grid: Callable[..., Path], tmp_path: Path, command: str) -> None:
    file = grid()
    file.chmod(0)
    refused(facegrid(tmp_path, command, file), str(file), "Permission denied")


@pytest.mark.parametrize("command", ["status", "report", "sync", "ui"])
@pytest.mark.parametrize("place", ["plan.json", "."])
def test_a_study_of_mode_000(study_file: Path, study: Path, tmp_path: Path, command: str, place: str) -> None:
    (study / place).chmod(0)
    try:
        refused(facegrid(tmp_path, command, study), str(study), "ermission denied")
    finally:
        (study / place).chmod(0o755)


@pytest.mark.slow
def test_a_report_of_a_study_that_may_only_be_read(tmp_path: Path) -> None:
    study = build_study(tmp_path / "study", axes={"backbone": ["alexnet"]}, pairs=60, explainers=()).path
    places = [study, *study.rglob("*")]
    modes = [place.stat().st_mode for place in places]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        refused(facegrid(tmp_path, "report", study), str(study / "report"), "Permission denied", "--to FOLDER")
        done = facegrid(tmp_path, "report", study, "--to", tmp_path / "mine")
        assert done.returncode == 0, done
        assert (tmp_path / "mine/index.html").is_file()
    finally:
        for place, mode in zip(places, modes, strict=True):
            place.chmod(mode)


def test_a_study_that_is_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    refused(facegrid(tmp_path, "status", tmp_path / "one"), "Too many levels of symbolic links")
    refused(facegrid(tmp_path, "plan", tmp_path / "one"), "Too many levels of symbolic links")


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    refused(facegrid(tmp_path, "status", "x" * 5_000), "File name too long")
    refused(facegrid(tmp_path, "plan", "x" * 5_000), "File name too long")


def test_an_output_that_cannot_be_written(study_file: Path, study: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    refused(facegrid(tmp_path, "report", study, "--to", locked / "report"), str(locked), "Permission denied")
