import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.tracking.database import make_database
from grid.tracking.uri import connect, quiet

quiet()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with all tables and no run."""
    path = tmp_path_factory.mktemp("whole") / "mlflow.db"
    make_database(path)
    return path.read_bytes()


def cut_off(path: Path, revisions: int) -> None:
    """A database as MLflow's own creation leaves it when it is killed after so many of its migrations."""
    import sqlalchemy
    from alembic import command
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    if revisions:
        config = _get_alembic_config(f"sqlite:///{path}")
        script = ScriptDirectory.from_config(config)
        command.upgrade(config, [one.revision for one in reversed(list(script.walk_revisions()))][revisions - 1])


def test_a_creation_that_was_cut_off_among_its_first_tables_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as opened:
        opened.execute("create table runs (run_uuid text)")
    assert connect(f"sqlite:///{path}").search_experiments()


@pytest.mark.parametrize("revisions", [0, 12])
def test_a_creation_that_was_cut_off_is_done_again(tmp_path: Path, revisions: int) -> None:
    path = tmp_path / "mlflow.db"
    cut_off(path, revisions)
    assert [one.name for one in connect(f"sqlite:///{path}").search_experiments()] == ["Default"]
    assert (tmp_path / "mlflow.db.incomplete").is_file(), "nothing is deleted"


def test_a_migration_that_was_done_and_not_noted_is_done_again(tmp_path: Path) -> None:
    """``duplicate column name``: what nothing healed."""
    path = tmp_path / "mlflow.db"
    cut_off(path, 2)
    with sqlite3.connect(path) as opened:
        version = opened.execute("select version_num from alembic_version").fetchone()
    cut_off(tmp_path / "earlier.db", 1)
    with sqlite3.connect(tmp_path / "earlier.db") as opened:
        earlier = opened.execute("select version_num from alembic_version").fetchone()
    assert earlier != version
    with sqlite3.connect(path) as opened:
        opened.execute("update alembic_version set version_num = ?", earlier)
    assert connect(f"sqlite:///{path}").search_experiments()


def test_an_empty_file_becomes_a_database_and_the_journal_of_another_is_not_applied_to_it(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    (tmp_path / "mlflow.db-journal").write_bytes(b"of a file that is gone" * 100)
    (tmp_path / ".mlflow.db.0123.new").write_text("left by a killed process")
    (tmp_path / ".mlflow.db.0123.new-journal").write_text("left by a killed process")
    assert connect(f"sqlite:///{path}").search_experiments()
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_a_database_with_runs_or_of_somebody_else_is_left_alone(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(whole)
    with sqlite3.connect(path) as opened:
        opened.execute("insert into runs (run_uuid, name) values ('r', 'a run')")
        opened.execute("update alembic_version set version_num = 'earlier'")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as opened:
        opened.execute("create table mine (text)")
    for file in (path, other):
        before = file.read_bytes()
        make_database(file)
        assert file.read_bytes() == before
    with pytest.raises(Exception, match="out-of-date database schema"):
        connect(f"sqlite:///{path}")
    assert not list(tmp_path.glob("*.incomplete"))


def test_a_finished_database_needs_no_lock(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(whole)
    with open(tmp_path / "mlflow.db.lock", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        make_database(path, patience=0)


def test_a_lock_that_stays_held_ends_in_one_line_that_names_the_process(tmp_path: Path) -> None:
    code = "import fcntl, sys, time; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); "
    code += "print('held', flush=True); time.sleep(600)"
    lock = tmp_path / "mlflow.db.lock"
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=rf"^\S+mlflow\.db\.lock has been held by process {holder.pid} for 1 s"):
            make_database(tmp_path / "mlflow.db", patience=1)
        assert time.monotonic() - began < 10
    finally:
        holder.kill()
        holder.wait()
    make_database(tmp_path / "mlflow.db", patience=1)  # the lock died with its holder


@pytest.mark.parametrize("step", [0, 1])
def test_killed_while_the_file_is_moved_into_place_the_next_one_finds_nothing_half_made(tmp_path: Path, step: int) -> None:
    path = tmp_path / "mlflow.db"
    cut_off(path, 1)
    pid = os.fork()
    if pid == 0:
        real: Callable[..., None] = os.replace
        left = [step]

        def replace(old: Path, new: Path) -> None:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            real(old, new)

        os.replace = replace  # type: ignore[assignment]
        make_database(path)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert connect(f"sqlite:///{path}").search_experiments()
