"""Temporary folders of the dead are removed, those of the living stay."""

import subprocess
import sys
from pathlib import Path

import pytest

from grid.ledger.scratch import scratch_folder, sweep

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
