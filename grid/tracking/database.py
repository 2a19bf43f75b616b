"""Creates the SQLite file for MLflow runs completely, in one process, even if processes are killed meanwhile.

MLflow creates its tables in about sixty migrations. A process killed between two of them leaves a file that later processes
cannot open, and eight processes that start at once corrupt it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0  # seconds to wait for another process that is creating the same file
POLL = 0.1  # seconds
VERSION = "alembic_version"  # the table with the number of migrations done
SIDES = ("-journal", "-wal", "-shm")  # SQLite side files; a leftover one would be applied to the next database


def make_database(database: Path, patience: float = PATIENCE) -> None:
    """Creates the tables if there is no database yet, or one whose creation was interrupted before it held a run.

    Raises:
        TimeoutError: another process holds the lock; the message names it.
    """
    if _usable(database):
        return
    with _alone(database, patience):
        if not _usable(database):
            _create(database)


def _usable(database: Path) -> bool:
    """Whether the file needs no intervention. A file that holds a run, or is not an MLflow database, is never replaced."""
    if not database.exists() or database.stat().st_size == 0:
        return False
    from mlflow.store.tracking.dbmodels.initial_models import Base

    address = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=PATIENCE)) as opened:
            tables = {name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")}
            versions = opened.execute("select version_num from alembic_version").fetchall() if VERSION in tables else []
            used = "runs" in tables and opened.execute("select 1 from runs limit 1").fetchone()
    except sqlite3.Error:
        return True  # MLflow reports what is wrong with it
    others = VERSION not in tables and not tables <= set(Base.metadata.tables)
    return bool(used) or others or versions == [(_last_migration(),)]


@functools.cache
def _last_migration() -> str:
    """Its number; MLflow finds it by importing all migrations."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    number: str = _get_latest_schema_revision()
    return number


def _create(database: Path) -> None:
    """Creates the tables in a temporary file and moves it into place; an existing file is renamed to ``.incomplete``."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for left in database.parent.glob(f".{database.name}.*.new*"):  # left by killed processes
        left.unlink()
    new = database.with_name(f".{database.name}.{uuid.uuid4().hex}.new")
    artifacts = (database.parent / "mlartifacts").absolute().as_uri()
    SqlAlchemyStore(f"sqlite:///{new.absolute()}", artifacts).engine.dispose()
    with open(new, "rb") as file:
        os.fsync(file.fileno())
    if database.exists() and database.stat().st_size:
        os.replace(database, database.with_name(f"{database.name}.incomplete"))
    for side in SIDES:
        database.with_name(database.name + side).unlink(missing_ok=True)
    os.replace(new, database)


@contextmanager
def _alone(database: Path, patience: float) -> Iterator[None]:
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = database.with_name(database.name + ".lock")
    with open(lock, "a", encoding="utf-8") as file:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"{lock} has been held by {_holder(lock)} for {patience:.0f} s; end it and try again"
                    ) from None
                time.sleep(POLL)
        yield  # closing the file releases the lock, also when the process dies


def _holder(lock: Path) -> str:
    """The process that holds a lock on the file, if the kernel reports it."""
    inode = str(lock.stat().st_ino)
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f"process {words[4]}"
    return "another process"
