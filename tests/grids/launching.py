"""Common parts of launch tests: a driver in its own process, all its descendants, and the contents of its ledger.

Tests import it from its folder; it is not a conftest because the grid's workers use this folder too.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import empty_database
import forked
import forked_children
import psutil
import pytest
import yaml
from loopback import free_port
from typer_commands import command_of

from grid.ledger.ledger import Ledger, Marker

GRIDS = Path(__file__).resolve().parent
ROOT = GRIDS.parent.parent
TINY = GRIDS / "tiny.yaml"
TAG = "FACEGRID_TEST_FAMILY"  # environment variable of all processes started by a driver, to find those that outlive it
KINDS = ("detect_shard", "detect", "pretrain", "trial", "search", "train", "evaluate", "explain", "score")
EPOCHS = 3  # epochs of each training of the tiny grid
PROGRAM = "from facegrid import main; main()"
SESSIONS: dict[str, int] = {}  # of forked drivers by their tag, which they have no place for in /proc
POLL = 0.1  # seconds between two looks at a ledger, which may read some hundred files
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
PATIENCE = 420.0  # maximum seconds for a launch of the tiny grid on a busy machine


def environment(family: str, **more: str) -> dict[str, str]:
    found = {
        **os.environ,
        TAG: family,
        "PYTHONPATH": f"{GRIDS}{os.pathsep}{ROOT}",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        **more,
    }
    found.pop("RAY_ADDRESS", None)
    return found


def prepare(folder: Path, arguments: tuple[object, ...]) -> None:
    """The first launch in a folder without ``studies`` finds an MLflow database with its tables there."""
    if arguments[:1] == ("launch",):
        empty_database.place(folder / "studies")


class Facegrid:
    """``facegrid ...`` running in ``folder``; its process group and descendants are killed at the end of the ``with`` block.

    Args:
        fresh: in a process that imports everything again, seconds slower: for what depends on imports, on ``sys.path``
            or on environment variables that Python reads when it starts
    """

    def __init__(self, folder: Path, *arguments: object, program: str = PROGRAM, fresh: bool = False, **more: str) -> None:
        self.family = uuid.uuid4().hex
        self.log = folder / f"log-{self.family[:8]}.txt"
        prepare(folder, arguments)
        variables, words = environment(self.family, **more), [str(word) for word in arguments]
        self.process: subprocess.Popen[bytes] | forked.Program
        if fresh:
            command = [sys.executable, "-c", program, *words]
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(
                    command, cwd=folder, stdout=log, stderr=log, env=variables, start_new_session=True
                )
        else:
            path = variables["PYTHONPATH"].split(os.pathsep)
            self.process = forked.Program(program, folder, words, variables, self.log, path)
            SESSIONS[self.family] = self.process.pid

    def __enter__(self) -> Facegrid:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        for process in family(self.family):
            end(process)
        psutil.wait_procs(family(self.family), timeout=10)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, timeout: float = PATIENCE) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"it still runs after {timeout} s:\n{self.said}") from error

    def until(self, fact: Callable[[], Any], timeout: float = PATIENCE) -> Any:
        """Waits while the process runs until ``fact`` returns a true value, and returns it."""
        limit = time.monotonic() + timeout
        while not (found := fact()):
            code = self.process.poll()
            assert code is None, f"it ended with {code} before the fact:\n{self.said}"
            assert time.monotonic() < limit, f"no such fact within {timeout} s:\n{self.said}"
            time.sleep(POLL)
        return found

    def signal(self, number: int) -> None:
        """Sends a signal to the driver only, unless it has ended."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(30)


def family(tag: str) -> list[psutil.Process]:
    """All processes with this tag in their environment, or in the session of a forked driver with it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                process.environ().get(TAG) == tag or os.getsid(process.pid) == SESSIONS.get(tag)
            ):
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def gone(tag: str, within: float = 180, killed: bool = False) -> None:
    """What a dead driver started ends by itself.

    Args:
        killed: it was killed on Ray. Then Ray's agents are not waited for: they first try for 60 s, which cannot be set, to
            tell Ray's GCS, which is gone, that their raylet is gone.
    """
    limit = time.monotonic() + within
    while left := [process for process in family(tag) if not (killed and _named(process, AGENTS))]:
        assert time.monotonic() < limit, [(process.pid, process.cmdline()) for process in left]
        time.sleep(0.2)


def _named(process: psutil.Process, names: Collection[str]) -> bool:
    with suppress(psutil.Error):
        return process.name() in names
    return False


def end(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def facegrid(folder: Path, *arguments: object, code: int = 0, **more: str) -> str:
    """Runs a command and checks its exit code; returns its output."""
    with Facegrid(folder, *arguments, **more) as running:
        found = running.wait()
        assert found == code, f"exit code {found}, not {code}:\n{running.said}"
        return running.said


def here_any(folder: Path, *arguments: object) -> tuple[int, str]:
    """A command in this process, which saves seconds of imports; returns its exit code and its output, errors first."""
    from grid.cli.main import main

    prepare(folder, arguments)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    environment = dict(os.environ)  # a launch sets Ray's token mode, which later processes would inherit
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("COLUMNS", "200")
        patch.setattr("typer.main.get_command", command_of)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["facegrid", *map(str, arguments)])
        patch.setattr(sys, "excepthook", sys.excepthook)  # debug sets it
        if arguments[:1] == ("launch",):
            forked_children.install(patch)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.environ.clear()
            os.environ.update(environment)
    said = "".join(stream.buffer.getvalue().decode() for stream in (err, out))  # type: ignore[attr-defined]
    return int(ended.value.code or 0), said


def here(folder: Path, *arguments: object, code: int = 0) -> str:
    """The same; checks the exit code."""
    found, said = here_any(folder, *arguments)
    assert found == code, f"exit code {found}, not {code}:\n{said}"
    return said


class Head:
    """The head of a Ray cluster with one node, in a process of its own; it ends with the ``with`` block.

    Args:
        more: environment variables; workers inherit them.
    """

    def __init__(self, folder: Path, cpus: int, **more: str) -> None:
        from grid.execution.ray_start import QUIET

        self.tag = uuid.uuid4().hex
        self.log = folder / "head.txt"
        self.address = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--include-dashboard=false"]
        command += [f"--port={self.address.rpartition(':')[2]}", f"--num-cpus={cpus}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**QUIET, **environment(self.tag, **more)}, stdout=log, stderr=log
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Head:
        limit = time.monotonic() + PATIENCE
        try:
            while "Ray runtime started" not in self.said:
                assert self.process.poll() is None, self.said
                assert time.monotonic() < limit, self.said
                time.sleep(0.2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in family(self.tag):
            end(process)
        self.process.wait(30)


def grid(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Writes a modified copy of the tiny grid."""
    tree = yaml.safe_load(TINY.read_text())
    change(tree)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


@dataclass(frozen=True)
class Undisturbed:
    """An undisturbed launch and what it ``said``.

    ``grid``: the file; ``study``: its folder; ``pid``: the process; ``contents``: expected results of every launch.
    """

    grid: Path
    study: Path
    said: str
    pid: int
    contents: dict[tuple[str, str], str]


def launch_undisturbed(folder: Path) -> None:
    """A launch of three cells, two independent ones and one that depends on a pretraining, in this process.

    Comparing a launch on Ray with it shows that the executor does not change a result.
    """

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"]["detection"]

    said = here(folder, "launch", grid(folder / "tiny.yaml", change), "launch.executor=local")
    (folder / "made.json").write_text(json.dumps({"said": said, "pid": os.getpid()}))


def undisturbed(folder: Path) -> Undisturbed:
    """What ``launch_undisturbed`` has left."""
    contents = Store(folder / "studies" / "tiny" / "store").contents()
    assert sorted(kind for kind, _ in contents) == ["evaluate"] * 3 + ["explain"] * 3 + ["pretrain"] + ["train"] * 3
    made = json.loads((folder / "made.json").read_text())
    return Undisturbed(folder / "tiny.yaml", folder / "studies" / "tiny", **made, contents=contents)


class Store:
    """The contents of a ledger, by kind and id."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)  # of a store on a disk
        self.ledger = Ledger(path)

    def ids(self) -> Iterator[tuple[str, str]]:
        yield from ((kind, id) for kind in KINDS for id in self.ledger.store.names(kind))

    def markers(self) -> dict[tuple[str, str], Marker]:
        found = {key: self.ledger.marker(*key) for key in self.ids()}
        return {key: marker for key, marker in found.items() if marker is not None}

    def contents(self) -> dict[tuple[str, str], str]:
        return {key: marker.content for key, marker in self.markers().items()}

    def attempts(self, kind: str | None = None) -> dict[tuple[str, str], int]:
        """Number of attempts of each stage."""
        return {key: self.ledger.attempts(*key) for key in self.ids() if kind in (None, key[0])}

    def finished(self) -> dict[tuple[str, str], int]:
        """Number of attempts of each finished stage, also while others are computed.

        Markers are read first: a stage that ends in between may have begun once more since its attempts were counted.
        """
        done = self.markers()
        return {key: count for key, count in self.attempts().items() if key in done}

    def claims(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """(kind, id, newest claim) of stages without marker or failure."""
        done = self.markers()
        for kind, id in self.ids():
            names = self.ledger.store.names(f"{kind}/{id}/claims")
            if names and (kind, id) not in done and not self.ledger.failure(kind, id):
                yield kind, id, json.loads(self.ledger.store.get(f"{kind}/{id}/claims/{names[-1]}") or b"{}")

    def computed_in(self) -> set[int]:
        """Ids of the processes that ran stages."""
        files = (path for kind, id in self.ids() for path in (self.path / kind / id / "claims").glob("*.json"))
        return {json.loads(path.read_text())["pid"] for path in files}

    def half_trained(self, pid: int | None = None) -> tuple[str, Mapping[str, Any]] | None:
        """(id, claim) of a training with a checkpoint and at least one epoch left, not run by process ``pid``."""
        for kind, id, claim in self.claims():
            found = self.ledger.checkpoint(kind, id) if kind == "train" and claim["pid"] != pid else None
            if found and found.row["position"] < [EPOCHS, 0]:
                return id, claim
        return None

    def resumed(self) -> set[str]:
        """Ids of trainings that some attempt resumed from a checkpoint."""
        keys = [key.split("/") for key in self.ledger.store.walk("train")]
        return {id for id, *_, name in keys if name == "resumed.json"}


def cells(study: Path) -> list[dict[str, Any]]:
    """The cells in plan.json that are not skipped."""
    record = json.loads((study / "plan.json").read_text())
    return [cell for cell in record["cells"] if cell["id"]]


def runs(study: Path, tracking: str | None = None, replaced: bool = False) -> dict[str, list[Any]]:
    """A study's MLflow runs by cell id, without those of the report and of groups.

    Args:
        replaced: also runs that were replaced by others, which MLflow keeps as deleted ones
    """
    from mlflow.entities import ViewType

    from grid.tracking.uri import connect, default_tracking

    client = connect(tracking or default_tracking(study))
    id = json.loads((study / "plan.json").read_text())["study_id"]
    experiments = client.search_experiments(filter_string=f"tags.`facegrid.study_id` = '{id}'")
    assert len(experiments) == 1, experiments
    found: dict[str, list[Any]] = {}
    view = ViewType.ALL if replaced else ViewType.ACTIVE_ONLY
    for run in client.search_runs([experiments[0].experiment_id], run_view_type=view):
        cell = run.data.tags.get("facegrid.cell")
        if cell:
            found.setdefault(cell, []).append(run)
    return found


def sound(study: Path, undisturbed: bool = False) -> None:
    """Checks that there is one finished run per cell and that the database is intact.

    Args:
        undisturbed: nothing was killed or changed, so no run was replaced either
    """
    import sqlite3

    found = runs(study, replaced=undisturbed)
    assert {cell["id"] for cell in cells(study)} == set(found)
    for several in found.values():
        assert [run.info.status for run in several] == ["FINISHED"], several
    with sqlite3.connect(study.parent / "mlflow.db") as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
