"""Temporary folders of the dead are removed, those of the living stay."""

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grid.ledger import scratch
from grid.ledger.scratch import OWNED, own_temporary_files, scratch_folder, sweep

HOLD = """
import sys
from grid.ledger.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_a_folder_of_a_killed_process_is_swept_and_no_other(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        (theirs / "tune").mkdir()
        with scratch_folder() as ours:
            assert theirs.is_dir(), "its owner lives"
            process.kill()
            process.wait()
            (tmp_path / "facegrid-scratch-of-nobody").mkdir()
            sweep()
            assert not theirs.exists()
            assert ours.is_dir()
        assert not ours.exists()


TRAIN = """
import sys, tempfile
from grid.ledger.scratch import own_temporary_files
for _ in range(2):
    with own_temporary_files(), tempfile.TemporaryDirectory(prefix="facegrid-fit-") as folder:
        print(folder, flush=True)
        sys.stdin.readline()
"""


def training(folder: Path) -> subprocess.Popen[str]:
    """A process that has made a folder for a training, twice if it is told to go on."""
    root = Path(__file__).resolve().parents[4]
    variables = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN], cwd=root, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_folder_of_a_killed_training_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    with training(tmp_path) as killed, training(tmp_path) as living:
        assert killed.stdout is not None
        assert living.stdout is not None
        theirs, ours = (Path(process.stdout.readline().strip()) for process in (killed, living) if process.stdout)
        assert theirs.is_dir()
        assert theirs.name.startswith("facegrid-fit-")
        assert theirs.parent != ours.parent
        killed.kill()
        killed.wait()
        sweep()
        assert not theirs.parent.exists()
        assert ours.is_dir()
        living.communicate("\n\n", timeout=60)
    assert list(tmp_path.iterdir()) == [], "a process that ends by itself leaves nothing"


def test_temporary_files_of_a_process_lie_in_one_folder_and_elsewhere_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grid.ledger.scratch._own", {})  # of this process, if another test has run a stage
    places = []
    for _ in range(2):
        with own_temporary_files():
            places.append(tempfile.gettempdir())
    assert len(set(places)) == 1
    assert Path(places[0]).parent == tmp_path == Path(tempfile.gettempdir())
    Path(places[0], OWNED).unlink()
    Path(places[0]).rmdir()  # by a service that cleans temporary folders
    with own_temporary_files():
        assert Path(tempfile.gettempdir()).is_dir()


def test_temporary_files_are_put_elsewhere_only_where_the_folder_of_the_machine_is_noted() -> None:
    root = Path(__file__).resolve().parents[4]
    sources = [path for folder in ("grid", "modules", "datamodules", "cluster") for path in (root / folder).rglob("*.py")]
    setting = [path.relative_to(root) for path in sources if "tempfile.tempdir =" in path.read_text(encoding="utf-8")]
    assert [str(path) for path in setting] == ["grid/ledger/scratch.py"]


@pytest.mark.parametrize("content", ["another-host", ""])
def test_a_folder_of_another_host_stays_even_if_its_lock_is_not_seen_here(tmp_path: Path, content: str) -> None:
    (tmp_path / "facegrid-scratch-there").mkdir()
    (tmp_path / "facegrid-scratch-there" / OWNED).write_text(content)
    sweep()
    assert (tmp_path / "facegrid-scratch-there").is_dir()
    (tmp_path / "facegrid-scratch-there" / OWNED).write_bytes(scratch._host())
    sweep()
    assert not (tmp_path / "facegrid-scratch-there").exists()


def test_a_folder_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facegrid-scratch-theirs").mkdir()
    (tmp_path / "facegrid-scratch-theirs" / OWNED).write_bytes(scratch._host())
    monkeypatch.setattr("os.getuid", lambda: (tmp_path / "facegrid-scratch-theirs").stat().st_uid + 1)
    sweep()
    assert (tmp_path / "facegrid-scratch-theirs").is_dir()


def test_a_folder_is_locked_before_it_can_be_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, seen = Path.rename, []

    def renamed(path: Path, target: Path) -> Path:
        with open(path, "r+b") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(list(path.parent.glob(OWNED)))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    with scratch_folder():
        assert seen == [[]]
