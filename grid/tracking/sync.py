"""The one writer to MLflow: copies what a study's ledger has and MLflow lacks.

A pass compares and writes the difference, so it may be cut off anywhere, repeated, or come late; after a complete pass
another one writes nothing. A run is found again by the tags that hold the study's and the cell's id, so there is exactly one
per cell. MLflow cannot change a param or take back a point of a metric: a run that says something else than the ledger is
replaced by a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid.abort import LaunchAborted
from grid.ledger.ledger import Damaged
from grid.ledger.study import CellView, Study
from grid.secrets import masked, masked_text
from grid.tracking.record import REPORT, Record, record_of
from grid.tracking.runs import Known, Replace, Runs
from grid.tracking.stages import gather, gather_report
from grid.tracking.uri import artifacts_of, connect, default_tracking, is_outage, remote, tracking_of

NAME_TRIES = 8
__all__ = ["MlflowSync", "SyncResult", "TrackingUnreachable", "default_tracking", "sync", "sync_pass", "tracking_of"]


class TrackingUnreachable(RuntimeError):
    """MLflow cannot be written to now; nothing is lost, since the ledger has it all."""


@dataclass(frozen=True)
class SyncResult:
    """What a pass found. ``said`` tells of runs that were replaced or deleted; ``problems`` of what could not be copied."""

    tracking: str
    experiment: str | None = None  # name; None where MLflow was not reached
    experiment_id: str | None = None
    runs: dict[str, str] = field(default_factory=dict)  # cell id -> run id
    report: str | None = None  # run id of the summary
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    writes: int = 0  # requests that change something
    unreachable: bool = False


def sync_pass(
    study_path: Path, tracking: str | None = None, report: bool = False, check: Callable[[], None] = lambda: None
) -> SyncResult:
    """One complete pass. The caller holds the study's lock.

    Args:
        report: also copy the study's report, if there is one, as a run named ``report``.
        check: called before each cell is written; raises where the lock was lost.

    Raises:
        BadInput: the folder is no study, or its tracking URI cannot be used. An outage is no error: see ``problems``.
    """
    study = Study(study_path)
    named = {"tracking": tracking or study.record.get("tracking")}
    return MlflowSync(study, tracking_of(named, study.path), check).once(report)


def sync(study_path: Path, tracking: str | None = None, check: Callable[[], None] = lambda: None) -> SyncResult:
    """One pass with the report, for a user who waits for it.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    result = sync_pass(study_path, tracking, report=True, check=check)
    if result.unreachable:
        raise TrackingUnreachable(result.problems[-1])
    return result


class MlflowSync:
    """Passes over one study. It remembers what it wrote, so that a pass of a running launch asks MLflow little."""

    def __init__(self, study: Study, tracking: str, check: Callable[[], None] = lambda: None) -> None:
        self.path, self.tracking, self.check = study.path, tracking, check  # check: that the study's lock is still held
        self._runs: Runs | None = None
        self._doubtful = False  # a write failed, so MLflow is read anew before the next pass
        self._lock = threading.Lock()

    def once(self, report: bool = False) -> SyncResult:
        """One pass; never raises for what MLflow does."""
        with self._lock:
            problems: list[str] = []
            said: list[str] = []
            study = Study(self.path)
            before = self._runs.writes if self._runs else 0
            unreachable = self._doubtful = False
            try:
                self.check()
                if self._runs is None:
                    self._runs = _open(study, self.tracking)
                    said += self._runs.unite()
                for cell in study.cells:
                    self.check()
                    self._cell(study, cell, problems, said)
                if report:
                    self._report(study, problems)
                if remote(self.tracking) and self._runs.created:  # a request that was sent twice may have made two
                    said += self._runs.unite()
            except LaunchAborted:
                raise
            except Exception as error:
                unreachable = True
                problems.append(
                    f"{masked(self.tracking)} cannot be reached or written to ({self._line(error)}); the ledger keeps all"
                )
            runs = self._runs
            if unreachable or self._doubtful:
                self._runs = None
            if runs is None:
                return SyncResult(masked(self.tracking), problems=problems, said=said, unreachable=True)
            ids = {cell: known.run_id for cell, known in runs.known.items() if cell != REPORT}
            summary = runs.known.get(REPORT)
            found = SyncResult(
                masked(self.tracking), runs.experiment, runs.experiment_id, ids, summary.run_id if summary else None,
                problems, said, runs.writes - before, unreachable,
            )  # fmt: skip
            if not unreachable:
                _note(self.path / "mlflow.json", found)
            return found

    def _cell(self, study: Study, cell: CellView, problems: list[str], said: list[str]) -> None:
        record = record_of(study, cell)
        if record is None:
            return
        assert self._runs is not None
        assert cell.id is not None
        try:
            known = self._runs.known.get(cell.id)
            if known is not None:
                try:
                    self._fill(study, cell, record, known, problems)
                    return
                except Replace as conflict:
                    self._runs.delete(cell.id)
                    said.append(f"{cell.title}: the run {known.run_id} was replaced, because {conflict}")
            known = self._runs.create(cell.id, record)
            self._fill(study, cell, record, known, problems)
        except Exception as error:
            if is_outage(error):
                raise
            self._doubtful = True
            problems.append(f"{cell.title}: {self._line(error)}")

    def _fill(self, study: Study, cell: CellView, record: Record, known: Known, problems: list[str]) -> None:
        assert self._runs is not None
        self._runs.check(known, record)
        with tempfile.TemporaryDirectory(prefix="facegrid-sync-") as folder:
            change = gather(study, cell, record, known, self._runs.history, Path(folder), problems)
            self._runs.apply(known, change, record)

    def _report(self, study: Study, problems: list[str]) -> None:
        assert self._runs is not None
        folder = self.path / "report"
        if not folder.is_dir():
            return
        try:
            known = self._runs.known.get(REPORT)
            with tempfile.TemporaryDirectory(prefix="facegrid-sync-") as temporary:
                record, change = gather_report(study, folder, known, Path(temporary))
                if change is not None:
                    self._runs.apply(known or self._runs.create(REPORT, record), change, record)
        except Exception as error:
            if is_outage(error):
                raise
            self._doubtful = True
            problems.append(f"report: {self._line(error)}")

    def _line(self, error: BaseException) -> str:
        text = masked_text(" ".join(str(error).split()), self.tracking)[:300]
        if "ConnectionPool" in text:  # of requests; the rest is about its insides
            return "it timed out" if "timed out" in text else "nobody answers"
        return text if isinstance(error, (Damaged, TimeoutError)) else f"{type(error).__name__}: {text}"


def _open(study: Study, tracking: str) -> Runs:
    """The study's experiment, made where it is missing, and what its runs say."""
    client = connect(tracking)
    experiment, made = _experiment(client, study, artifacts_of(tracking, study.path))
    runs = Runs(client, experiment.experiment_id, experiment.name, study.id)
    runs.writes += made
    return runs


def _experiment(client: Any, study: Study, artifacts: str | None) -> tuple[Any, int]:
    """The experiment, and how many writes it took to have it.

    It is known by its tag, so it may be renamed; one of the same name that is not this study's is left alone.
    """
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    tag = "facegrid.study_id"
    found = client.search_experiments(filter_string=f"tags.`{tag}` = '{study.id}'", view_type=ViewType.ALL)
    if found:
        oldest = min(found, key=lambda one: (one.creation_time or 0, one.experiment_id))
        if oldest.lifecycle_stage == "deleted":
            client.restore_experiment(oldest.experiment_id)
            return client.get_experiment(oldest.experiment_id), 1
        return oldest, 0
    name = study.name
    for _ in range(NAME_TRIES):
        if client.get_experiment_by_name(name) is None:
            tags = {tag: study.id, "facegrid.grid": study.name, "mlflow.experimentKind": "custom_model_development"}
            try:
                return client.get_experiment(client.create_experiment(name, artifacts, tags)), 1
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise  # else another study just took the name
        other = f"{study.name} ({study.id[:8]})"
        name = other if name == study.name else f"{study.name} ({study.id[:8]} {uuid.uuid4().hex[:4]})"
    raise RuntimeError(f"no free name for an experiment like {study.name!r}")


def _note(path: Path, found: SyncResult) -> None:
    """Leaves in the study which run is which cell's; the file is whole at any time."""
    text = json.dumps(
        {
            "experiment": found.experiment, "experiment_id": found.experiment_id, "tracking": found.tracking,
            "runs": found.runs, "report": found.report,
        },
        indent=1, sort_keys=True,
    ) + "\n"  # fmt: skip
    with contextlib.suppress(FileNotFoundError):
        if path.read_text(encoding="utf-8") == text:
            return
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
