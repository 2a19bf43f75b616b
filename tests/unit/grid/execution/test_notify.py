"""The command that runs when a launch ends."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from grid.abort import LaunchAborted
from grid.execution import notify as module
from grid.execution.notify import check_command, notify, notifying
from grid.ledger.study import Study
from grid.spec.grid_file import BadInput

Make = Callable[..., Study]
# starts a process that keeps the pipes open for some time after the command has ended
LEAVING = "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(6)']); "


@pytest.fixture
def study(make_study: Make) -> Study:
    return make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, failed=[{"backbone": "alexnet"}], pairs=60, explainers=(),
        error="ValueError: cannot read http://me:hunter2@example/x",
    )  # fmt: skip


def program(folder: Path, body: str) -> str:
    file = folder / "notify me.py"  # with a space, so that quotes count
    file.write_text(body)
    return shlex.join([sys.executable, str(file)])


def copying(folder: Path) -> tuple[str, Path]:
    target = folder / "received.json"
    return program(folder, f"import sys; open({str(target)!r}, 'w').write(sys.stdin.read())"), target


@pytest.mark.parametrize(("code", "event"), [(0, "done"), (1, "failed")])
def test_the_command_gets_states_and_failures_of_a_launch_that_ended(
    study: Study, tmp_path: Path, code: int, event: str
) -> None:
    command, target = copying(tmp_path)
    with notifying(command, study.path, pytest.fail) as codes:
        assert not target.exists()
        codes.append(code)
    received = json.loads(target.read_text())
    assert (received["event"], received["study"], received["cells"]) == (event, "ito2021", {"done": 1, "failed": 1})
    ((failure),) = received["failed"]
    assert "backbone=alexnet" in failure["cell"]
    assert failure["reason"].endswith("cannot read http://***@example/x")
    assert received["path"] == str(study.path)
    assert 0 <= received["seconds"] < 60


@pytest.mark.parametrize(
    ("error", "event"), [(KeyboardInterrupt, "interrupted"), (LaunchAborted, "aborted"), (OSError, "aborted")]
)
def test_a_launch_that_is_cut_off_runs_the_command_and_its_error_is_raised(
    study: Study, tmp_path: Path, error: type[BaseException], event: str
) -> None:
    command, target = copying(tmp_path)
    with pytest.raises(error), notifying(command, study.path, pytest.fail):
        raise error
    assert json.loads(target.read_text())["event"] == event


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('no route', file=sys.stderr); sys.exit(3)", "ended with exit code 3 (no route)"),
        ("import os; os.write(2, b'no caf\\xe9'); os._exit(3)", "ended with exit code 3 (no caf\ufffd)"),
        (LEAVING + "print('no route', flush=True); os._exit(3)", "ended with exit code 3 (no route)"),
        ("import time; time.sleep(60)", "took longer than 3 s and was killed"),
    ],
)
def test_a_command_that_fails_or_hangs_is_reported_and_costs_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setattr(module, "SECONDS", 3.0)
    lines: list[str] = []
    with notifying(program(tmp_path, body), study.path, lines.append) as codes:
        codes.append(0)
    (line,) = lines
    assert line.startswith("launch.notify: ")
    assert said in line


def test_what_a_command_leaves_running_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 3.0)
    notify(program(tmp_path, LEAVING), {})


def test_what_a_command_that_hangs_has_started_is_killed_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 3.0)
    sleep = "import os, time; open('child', 'w').write(str(os.getpid())); os.rename('child', 'begun'); time.sleep(60)"
    body = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="was killed"):
        notify(program(tmp_path, body), {})
    child = int((tmp_path / "begun").read_text())
    limit = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(60)",
        "import sys; sys.exit('cannot reach ' + sys.argv[1])",
        "import sys; sys.exit('no such host in https://ada:hunter2@hooks.example/?token=abc123')",
    ],
)
def test_nothing_secret_in_its_arguments_or_its_output_is_printed(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(module, "SECONDS", 3.0)
    lines: list[str] = []
    command = program(tmp_path, body) + " https://ada:hunter2@hooks.example/T0/B1/s3cr3t?token=abc123"
    with notifying(command, study.path, lines.append) as codes:
        codes.append(0)
    (line,) = lines
    assert line.startswith(f"launch.notify: {sys.executable} ")
    assert not [word for word in ("hunter2", "abc123", "s3cr3t") if word in line], line


def test_a_command_that_is_blank_does_not_exist_or_has_open_quotes_is_reported(study: Study) -> None:
    for command in ("/no/such/program", "notify 'me", " "):
        lines: list[str] = []
        with notifying(command, study.path, lines.append):
            pass
        assert len(lines) == 1


def test_a_record_that_cannot_be_read_is_reported_but_a_lost_lease_aborts(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error: Exception = KeyError("finished")

    def damaged(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "progress", damaged)
    command, target = copying(tmp_path)
    lines: list[str] = []
    with notifying(command, study.path, lines.append) as codes:
        codes.append(0)
    assert lines == ["launch.notify: 'finished'"]
    error = LaunchAborted("the lease was lost")
    with pytest.raises(LaunchAborted), notifying(command, study.path, lines.append) as codes:
        codes.append(0)
    assert not target.exists()


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    command, target = copying(tmp_path)
    content: dict[str, Any] = {"event": "done"}
    notify(f"{command} ; touch {tmp_path / 'shell'}", content)
    assert json.loads(target.read_text()) == content
    assert not (tmp_path / "shell").exists()


def test_nothing_runs_without_a_command(study: Study) -> None:
    with notifying(None, study.path, pytest.fail) as codes:
        codes.append(1)


def test_a_command_that_cannot_run_is_refused_before_a_launch_begins(tmp_path: Path) -> None:
    file = tmp_path / "notify"
    file.write_text("#!/bin/sh\n")
    for command, words in (
        ("/no/such/program --channel lab", "'/no/such/program' is no program on this machine"),
        (str(file), "is no program on this machine; correct its path, or leave out launch.notify"),
        ("notify 'me", "launch.notify: No closing quotation"),
        (" ", "launch.notify: the command is blank; name a program"),
    ):
        with pytest.raises(BadInput, match=re.escape(words)):
            check_command(command)
    file.chmod(0o755)
    for command in (None, str(file), f"{file} --channel lab", "sh -c true"):
        check_command(command)
