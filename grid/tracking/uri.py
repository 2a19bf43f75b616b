"""Resolves the MLflow URI, and provides a quiet client for it: short timeouts, no telemetry, little logging.

MLflow itself is imported only inside functions, after its environment is set.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from grid.ledger.study import Study
from grid.secrets import SECRET, masked
from grid.spec.grid_file import BadInput, read
from grid.tracking.bounded import Bounded
from grid.tracking.database import make_database

ENVIRONMENT = {  # defaults: the user's settings take precedence
    "MLFLOW_DISABLE_TELEMETRY": "true",  # "false" turns it on
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's default of 7 stalls for minutes; a later pass retries anyway
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",  # immediately, and after 2 seconds
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # a write must be complete before it is marked as done
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}
DATABRICKS = "dbruntime"  # a package of Databricks clusters; MLflow's client tries to import it five times per request
LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool", "huey")
NETWORK_DISKS = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|lustre|gpfs|beegfs|glusterfs|ceph|afs|fuse\.(sshfs|s3fs|gcsfuse|rclone|ceph|glusterfs)"
)


def tracking_of(study: Study) -> str:
    """The tracking URI of a study.

    Its record has it without passwords, see ``grid.secrets``. They come from ``MLFLOW_TRACKING_URI``, from the grid file, or
    for a server from the variables that MLflow reads itself.

    Raises:
        BadInput: as ``tracking_uri``, and where a password is missing.
    """
    named = study.record.get("tracking")
    return tracking_uri(_with_secrets(str(named), study.record.get("grid_file")) if named else None, study.path)


def tracking_uri(named: str | None, study: Path) -> str:
    """The URI that ``launch.tracking`` of a grid file names, or SQLite next to the study's folder.

    Raises:
        BadInput: the study is not on a local disk, and no URI is named; or MLflow does not support it.
    """
    return _checked(named) if named else default_tracking(study)


def _with_secrets(named: str, grid_file: str | None) -> str:
    if SECRET not in named:
        return named
    for candidate in (os.environ.get("MLFLOW_TRACKING_URI"), _tracking_in(grid_file)):
        if candidate and SECRET not in candidate and masked(candidate) == named:
            return candidate
    without = named.replace(f"://{SECRET}@", "://", 1)
    signed_in = os.environ.get("MLFLOW_TRACKING_TOKEN") or os.environ.get("MLFLOW_TRACKING_USERNAME")
    if remote(named) and signed_in and SECRET not in without:
        return without
    other = ", or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" if remote(named) else ""
    where = f" in {grid_file}" if grid_file else ""
    raise BadInput(
        f"launch.tracking: a study keeps no password, and that of {named} was not found{where}; "
        f"set MLFLOW_TRACKING_URI to the whole address{other}"
    )


def _tracking_in(grid_file: str | None) -> str | None:
    """``launch.tracking`` of a grid file; None if it is not set, or the file does not exist."""
    try:
        return read(Path(grid_file)).spec.launch.tracking if grid_file else None
    except BadInput:
        return None


def default_tracking(study: Path) -> str:
    """SQLite next to the study's folder.

    Raises:
        BadInput: the study is not on a local disk.
    """
    address = any(part.endswith(":") for part in study.parts)
    if address or (disk := _network_disk(study)):
        where = "an address" if address else f"a network disk ({disk})"
        raise BadInput(
            f"launch.tracking: not set, and the study {study} is on {where}, where SQLite cannot be trusted; "
            "set launch.tracking to the address of an MLflow server, or launch.study to a local folder"
        )
    return f"sqlite:///{study.absolute().parent / 'mlflow.db'}"


def _checked(uri: str) -> str:
    scheme, sign, rest = uri.partition("://")
    if not sign or scheme == "file":
        if scheme.startswith("databricks"):
            return uri
        raise BadInput(
            f"launch.tracking: {uri!r} names a folder, which MLflow no longer writes to; "
            "use sqlite:////absolute/path/mlflow.db, http://host:port or a database"
        )
    if scheme == "sqlite" and rest.partition("?")[0] in ("", "/", "/:memory:"):
        raise BadInput(f"launch.tracking: {uri!r} names no file, so runs would be lost; use sqlite:////absolute/path/mlflow.db")
    if scheme == "sqlite" and rest.startswith("/") and not rest.startswith("//"):
        return f"sqlite:///{Path(rest[1:]).absolute()}"  # three slashes: relative to the working directory
    if not rest.startswith("/") and re.search("[/?#@]", rest.rpartition("@")[0]):
        # otherwise parts of a password would appear in error messages of URI parsers
        raise BadInput(
            f"launch.tracking: the user name or password of {masked(uri)} holds one of / ? # @; "
            "write it as %2F, %3F, %23 or %40"
        )
    if scheme in ("http", "https") and re.search("[?#]", rest):
        raise BadInput(
            f"launch.tracking: {masked(uri)} has a part after ? or #, which MLflow would put before its paths; leave it out"
        )
    return uri


def _network_disk(path: Path) -> str | None:
    """The type of a network file system that contains ``path``, else None."""
    import psutil

    real = path.absolute().resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    found = next((mounts[folder] for folder in (real, *real.parents) if folder in mounts), "")
    return found if NETWORK_DISKS.fullmatch(found) else None


def remote(tracking: str) -> bool:
    """Whether a server handles the URI; otherwise this process accesses a database directly."""
    return tracking.startswith(("http://", "https://", "databricks"))


def database_file(tracking: str) -> Path | None:
    """The file of a SQLite URI."""
    return Path(tracking.removeprefix("sqlite:///").partition("?")[0]) if tracking.startswith("sqlite:///") else None


def artifacts_of(tracking: str, study: Path) -> str | None:
    """Where new experiments store artifacts; None leaves it to the server."""
    if remote(tracking):
        return None
    file = database_file(tracking)
    folder = file.parent if file else study.absolute().parent
    return (folder / "mlartifacts").as_uri()


def quiet() -> None:
    """Sets MLflow's environment and silences its loggers; may be called repeatedly."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    import mlflow  # noqa: F401  # sets its loggers' levels on import, so it comes first

    if importlib.util.find_spec(DATABRICKS) is None:
        sys.modules[DATABRICKS] = None  # type: ignore[assignment]  # not there: Python need not look for it again
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def connect(tracking: str) -> Any:
    """An ``MlflowClient`` with time-limited calls; the tables of a SQLite file are created first.

    Raises:
        TimeoutError: the server does not answer in time, or another process keeps the file locked.
    """
    quiet()
    from mlflow import MlflowClient

    if file := database_file(tracking):
        make_database(file)
    client: Any = MlflowClient(tracking_uri=tracking)
    if remote(tracking):
        client = Bounded(client)
    client.search_experiments(max_results=1)  # fails early if the server does not answer
    return client
