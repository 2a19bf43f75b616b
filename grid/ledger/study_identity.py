"""Which MLflow runs belong to a study: a copied folder gets a new id, a moved folder keeps its id.

``plan.json`` records where the study was when it last wrote to MLflow: host, path and inode. A rename or another mount keeps
the inode, a copy does not.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.ledger.study import read_record, write_record
from grid.spec.grid_file import BadInput


def home_of(study: Path) -> dict[str, Any]:
    """The location of a study's folder: ``host``, ``path`` (links resolved), ``inode``."""
    real = study.resolve()
    return {"host": socket.gethostname(), "path": str(real), "inode": real.stat().st_ino}


def own_identity(study: Path) -> str | None:
    """Gives a copied study a new id, so that it does not modify the MLflow runs of the original.

    The caller holds the study's lock. A study without a plan is not modified.

    Returns:
        A line for the user if the study was a copy.
    """
    try:
        record = read_record(study)
    except BadInput:
        return None  # the next reader of the study reports what is wrong with the file
    if record is None or "study_id" not in record:
        return None
    here, before = home_of(study), record.get("home")
    if here == before:
        return None
    said = None
    if is_copy(study, record):
        assert before is not None
        record["study_id"] = uuid.uuid4().hex
        said = f"{study} is a copy of {before['path']} on {before['host']}; it gets MLflow runs of its own"
        (study / "mlflow.json").unlink(missing_ok=True)  # it names the runs of the original
    record["home"] = here
    write_record(study, record)
    return said


def is_copy(study: Path, record: Mapping[str, Any]) -> bool:
    """Whether a study with this record has just been copied, so that the runs with its id are those of the original.

    At an equal path it counts as the same study, also after a restored backup or in another container.
    """
    here, before = home_of(study), record.get("home")
    if not isinstance(before, dict) or before["path"] == here["path"]:
        return False
    if before["host"] == here["host"]:
        return _is_study(Path(before["path"]), record["study_id"]) and not os.path.samefile(before["path"], here["path"])
    return bool(before["inode"] != here["inode"])


def _is_study(path: Path, study_id: str) -> bool:
    try:
        record = read_record(path)
    except (OSError, BadInput):
        return False
    return record is not None and record.get("study_id") == study_id
