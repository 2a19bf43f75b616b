"""The files of a run in MLflow: which were copied, and which are lost."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from grid.tracking import bounded
from grid.tracking.answers import is_outage
from grid.tracking.run import Known

FILES = "files.json"  # an artifact that lists every copied file, its size and its stage
scratch = partial(tempfile.TemporaryDirectory, prefix="facegrid-sync-", ignore_cleanup_errors=True)


def log_folder(client: Any, known: Known, folder: Path) -> None:
    """Copies a folder to the artifacts of a run. MLflow's client would first ask the server where they are, once for each run.

    Raises:
        TimeoutError: it took longer than the slowest allowed upload of so many bytes.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.utils.uri import add_databricks_profile_info_to_artifact_uri

    tracking = client.tracking_uri
    address = add_databricks_profile_info_to_artifact_uri(known.artifacts, tracking)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    bounded.within(
        bounded.SECONDS + size / bounded.SLOWEST,
        lambda: get_artifact_repository(address, tracking_uri=tracking).log_artifacts(str(folder)),
    )


def lost_stages(client: Any, known: Known, labels: Iterable[str]) -> set[str]:
    """The stages with files that MLflow has lost, or has with a different size."""
    there = files_of(client, known)
    if FILES not in there:
        known.files = {}
        return set(labels)
    return {label for name, (size, label) in copied_files(client, known).items() if there.get(name) != size}


def copied_files(client: Any, known: Known) -> dict[str, list[Any]]:
    """File -> [bytes, label of its stage], for all copied files."""
    if known.files is None:
        with scratch() as folder:
            try:
                path = Path(client.download_artifacts(known.run_id, FILES, folder))
                known.files = dict(json.loads(path.read_text(encoding="utf-8")))
            except Exception as error:
                if is_outage(error):
                    raise
                known.files = {}  # nothing was copied yet, or the list was deleted
    return known.files


def files_of(client: Any, known: Known) -> dict[str, int]:
    """The size in bytes of each artifact of a run."""
    found: dict[str, int] = {}
    folders = [""]
    while folders:
        for entry in client.list_artifacts(known.run_id, folders.pop()):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                found[entry.path] = entry.file_size
    return found
