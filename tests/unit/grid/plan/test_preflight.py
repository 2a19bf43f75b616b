"""What is asked of folders and networks before a launch; images are in ``test_inputs``."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from small import finish_all

from grid.plan import preflight
from grid.plan.preflight import check_folders, checked_plan, prepare
from grid.spec.grid_file import BadInput, Grid


def refused(study: Path, store: Path | str) -> str:
    with pytest.raises(BadInput) as error:
        check_folders(study, store)
    with pytest.raises(BadInput, match="cannot be written"):
        prepare(study, store)
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file"


def test_a_file_in_the_way_is_named(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "study"
    way = "choose another with launch"
    assert refused(file, file / "store") == f"launch.study {file}: cannot be written (a file has this name); {way}.study=..."
    assert refused(other, file) == f"launch.store {file}: cannot be written (a file has this name); {way}.store=..."
    below = file / "a/b"
    assert refused(other, below) == f"launch.store {below}: cannot be written ({file} is a file); {way}.store=..."
    assert not other.exists(), "nothing was made"


def test_a_report_that_could_not_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("mine")
    assert refused(tmp_path, "memory://report") == (
        f"{tmp_path / 'report'}: the report cannot be written here (a file has this name); move it, or choose another "
        "launch.study=..."
    )


def test_folders_without_rights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(preflight.os, "access", lambda path, mode: "locked" not in str(path))  # root may write anywhere
    with pytest.raises(BadInput, match=rf"launch.study {tmp_path}/locked/a: .*\(no right to write in {tmp_path}/locked\)"):
        check_folders(tmp_path / "locked/a", tmp_path / "store")
    with pytest.raises(BadInput, match=rf"launch.store {tmp_path}/locked: .*\(no right to write there\)"):
        check_folders(tmp_path / "study", tmp_path / "locked")


def test_folders_that_can_be_made_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_folders(Path("studies/new"), Path("stores/new"))
    check_folders(tmp_path / "studies/new", "s3://bucket/store")
    assert os.listdir(tmp_path) == []


def test_networks_are_counted_only_if_something_is_to_run(make: Callable[..., Grid], tmp_path: Path) -> None:
    grid, quiet = make(f"launch.study={tmp_path / 'study'}", axes={}, explainers=[]), Console(file=io.StringIO())
    assert checked_plan(grid, None, quiet).costs is not None
    finish_all(grid)
    assert checked_plan(grid, None, quiet).costs is None
    assert checked_plan(grid, None, quiet, retry=True).costs is not None
