"""Where MLflow is, and a quiet client for it: short timeouts, no telemetry, no chatter.

MLflow itself is imported inside functions only, after its environment is set.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grid.spec import BadInput

ENVIRONMENT = {  # defaults: what the user sets wins
    "MLFLOW_DISABLE_TELEMETRY": "true",  # "false" turns it on
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # its own default of 7 stalls for minutes; a later pass tries again anyway
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # what was written must be there before it is ticked off
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}
LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool", "huey")
NETWORK_DISKS = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|lustre|gpfs|beegfs|glusterfs|ceph|afs|fuse\.(sshfs|s3fs|gcsfuse|rclone|ceph|glusterfs)"
)


def tracking_of(record: Mapping[str, Any], study: Path) -> str:
    """The tracking URI of a study: what the grid says, or SQLite beside the study's folder.

    Args:
        record: of the study (plan.json); its ``tracking`` is a URI or None.
        study: the study's folder.

    Raises:
        BadInput: a study that is not on a local disk and names no tracking URI; a URI that MLflow no longer serves.
    """
    named = record.get("tracking")
    return _checked(str(named)) if named else default_tracking(study)


def default_tracking(study: Path) -> str:
    """SQLite beside the study's folder.

    Raises:
        BadInput: the study is not on a local disk.
    """
    if any(part.endswith(":") for part in study.parts) or (disk := _network_disk(study)):
        where = "an address" if any(part.endswith(":") for part in study.parts) else f"a network disk ({disk})"
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
    if scheme == "sqlite" and rest.startswith("/") and not rest.startswith("//") and rest != "/:memory:":
        return f"sqlite:///{Path(rest[1:]).absolute()}"  # three slashes: relative to where the command runs
    return uri


def _network_disk(path: Path) -> str | None:
    """The type of the file system that ``path`` is on, where several machines share it."""
    import psutil

    real = path.absolute().resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    found = next((mounts[folder] for folder in (real, *real.parents) if folder in mounts), "")
    return found if NETWORK_DISKS.fullmatch(found) else None


def remote(tracking: str) -> bool:
    """A server answers there; else this process writes to a database itself."""
    return tracking.startswith(("http://", "https://", "databricks"))


def database_file(tracking: str) -> Path | None:
    """The file of a SQLite URI."""
    return Path(tracking.removeprefix("sqlite:///").partition("?")[0]) if tracking.startswith("sqlite:///") else None


def artifacts_of(tracking: str, study: Path) -> str | None:
    """Where new experiments keep files; None leaves it to the server."""
    if remote(tracking):
        return None
    file = database_file(tracking)
    folder = file.parent if file else study.absolute().parent
    return (folder / "mlartifacts").as_uri()


def masked(tracking: str) -> str:
    """The URI without its password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", tracking)


def quiet() -> None:
    """Sets MLflow's environment and silences its loggers; safe to call often."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    import mlflow  # noqa: F401  # sets its loggers' levels on import, so it comes first

    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def connect(tracking: str) -> Any:
    """An ``MlflowClient``. A fresh SQLite file gets its tables in one process at a time: eight at once corrupt it."""
    quiet()
    from mlflow import MlflowClient

    with _one_at_a_time(database_file(tracking)):
        client = MlflowClient(tracking_uri=tracking)
        client.search_experiments(max_results=1)  # makes the tables, and fails early where nobody answers
    return client


@contextmanager
def _one_at_a_time(database: Path | None) -> Iterator[None]:
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(database.with_name(database.name + ".lock"), "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file lets go, also when the process dies


def is_outage(error: BaseException) -> bool:
    """Nobody answers, or answers that it cannot: the whole pass stops. Anything else concerns one run."""
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return bool(error.get_http_status_code() >= 500)
    return isinstance(
        error, (requests.exceptions.RequestException, sqlalchemy.exc.SQLAlchemyError, ConnectionError, TimeoutError)
    )
