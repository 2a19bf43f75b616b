"""The only writer to MLflow: copies from a study's ledger what MLflow lacks.

A pass compares and writes the difference, so it may be interrupted anywhere, repeated, or delayed; after a complete pass,
another one writes nothing. A run is identified by tags with the ids of the study and the cell, so there is exactly one per
cell. MLflow cannot change a param or remove a point of a metric, so a run that contradicts the ledger is replaced by a new one.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grid.abort import LaunchAborted
from grid.ledger.store import LocalStore
from grid.ledger.study import CellView, Study
from grid.secrets import masked
from grid.tracking.answers import is_outage, sentence, words
from grid.tracking.artifacts import files_of, lost_stages
from grid.tracking.experiment import columns_of, open_experiment, page_of_report, tags_of_experiment
from grid.tracking.groups import copy_groups, under_group
from grid.tracking.models import ensure_model, model_of
from grid.tracking.parallel import each, threads_for
from grid.tracking.record import KIND, LAYOUT, REPORT, VERSION, Record, record_of
from grid.tracking.run import Known, Replace
from grid.tracking.runs import Runs
from grid.tracking.stages import Gathering, gather_report, report_record
from grid.tracking.trials import copy_trials
from grid.tracking.uri import default_tracking, remote, tracking_of

__all__ = ["MlflowSync", "SyncResult", "TrackingUnreachable", "default_tracking", "sync", "sync_pass", "tracking_of"]


class TrackingUnreachable(RuntimeError):
    """MLflow is not writable at the moment; nothing is lost, since the ledger has everything."""


@dataclass(frozen=True)
class SyncResult:
    """The result of a pass. ``said`` lists replaced or deleted runs; ``problems`` lists what could not be copied."""

    tracking: str
    experiment: str | None = None  # name; None if MLflow was not reached
    experiment_id: str | None = None
    runs: dict[str, str] = field(default_factory=dict)  # cell id -> run id
    report: str | None = None  # run id of the summary
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    writes: int = 0  # number of write requests
    unreachable: bool = False


def sync_pass(
    study_path: Path,
    tracking: str | None = None,
    report: bool = False,
    thorough: bool = False,
    check: Callable[[], None] = lambda: None,
) -> SyncResult:
    """One complete pass. The caller holds the study's lock.

    Args:
        report: also copy the study's report, if there is one, as a run named ``report``.
        thorough: also check what was copied before: runs with changed points are replaced, lost files are copied again.
        check: called before each cell is written; raises if the lock was lost.

    Raises:
        BadInput: the folder is not a study, or its tracking URI cannot be used. An outage is not an error: see ``problems``.
    """
    study = Study(study_path)
    named = {"tracking": tracking or study.record.get("tracking")}
    return MlflowSync(study, tracking_of(named, study.path), check).once(report, thorough)


def sync(study_path: Path, check: Callable[[], None] = lambda: None) -> SyncResult:
    """One thorough pass with the report, for a user who waits for it.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    result = sync_pass(study_path, report=True, thorough=True, check=check)
    if result.unreachable:
        raise TrackingUnreachable(result.problems[-1])
    return result


class MlflowSync:
    """Runs passes over one study. It remembers what it wrote, so that passes during a launch need few requests to MLflow."""

    def __init__(self, study: Study, tracking: str, check: Callable[[], None] = lambda: None) -> None:
        self.path, self.tracking, self.check = study.path, tracking, check  # check: raises if the study's lock was lost
        self._runs: Runs | None = None
        self._thorough = False
        self._doubtful = False  # a write failed, so MLflow is read again before the next pass
        self._lock = threading.Lock()

    def once(self, report: bool = False, thorough: bool = False) -> SyncResult:
        """One pass, see ``sync_pass``; never raises for errors of MLflow."""
        with self._lock:
            self._thorough = thorough
            problems: list[str] = []
            said: list[str] = []
            before = self._runs.writes if self._runs else 0
            unreachable = self._doubtful = False
            try:
                self.check()
                study = Study(self.path)
                if self._runs is None:
                    self._runs = open_experiment(study, self.tracking)
                    said += self._runs.unite()
                wanted = {cell.id: record_of(study, cell) for cell in study.cells}
                if report:
                    self._begin_report(study, [record.start for record in wanted.values() if record], problems, said)
                records: dict[str, Record] = {}
                begun = [(cell, record) for cell in study.cells if (record := wanted[cell.id])]
                self._cells(study, begun, records, problems, said)
                columns = columns_of(study)
                with self._noting("replicates", problems):
                    said += copy_groups(study, self._runs, records, columns, thorough, page_of_report(self._runs))
                with self._noting("trials", problems):
                    said += copy_trials(study, self._runs, thorough)
                if report:
                    self._report(study, problems)
                self._runs.describe(tags_of_experiment(study, columns, self._runs))
                if remote(self.tracking) and self._runs.created:  # a request that was sent twice may have created two runs
                    said += self._runs.unite()
            except LaunchAborted:
                raise
            except Exception as error:
                unreachable = True
                problems.append(f"{sentence(error, self.tracking)}; the next pass copies what is missing")
            runs = self._runs
            if unreachable or self._doubtful:
                self._runs = None
            if runs is None:
                return SyncResult(masked(self.tracking), problems=problems, said=said, unreachable=True)
            ids = {cell: known.run_id for cell, known in runs.known.items() if known.tags.get(KIND) == "cell"}
            summary = runs.known.get(REPORT)
            found = SyncResult(
                masked(self.tracking), runs.experiment, runs.experiment_id, ids, summary.run_id if summary else None,
                problems, said, runs.writes - before, unreachable,
            )  # fmt: skip
            if not unreachable:
                _note(self.path, found)
            return found

    def _cells(
        self,
        study: Study,
        cells: Sequence[tuple[CellView, Record]],
        records: dict[str, Record],
        problems: list[str],
        said: list[str],
    ) -> None:
        """Copies cells, and adds the records of those that have a run to ``records``. A hidden cell gets no new run."""
        assert self._runs is not None
        runs, grouping = self._runs, threading.Lock()
        todo = [
            (cell, record) for cell, record in cells if not cell.hidden or cell.id in runs.known
        ]  # else deleted by ``prune``

        def copy(work: tuple[CellView, Record]) -> tuple[Record | None, list[str], list[str]]:
            self.check()
            (cell, record), troubles, words = work, list[str](), list[str]()
            found = None
            with self._noting(cell.title, troubles):
                with grouping:
                    found = under_group(study, runs, cell, record)
                self._cell(study, cell, found, troubles, words)
            return found, troubles, words

        for (cell, _), (found, own_problems, own_said) in zip(todo, each(copy, todo, threads_for(self.tracking)), strict=True):
            if found is not None:
                records[str(cell.id)] = found
            problems += own_problems
            said += own_said

    def _cell(self, study: Study, cell: CellView, record: Record, problems: list[str], said: list[str]) -> None:
        assert self._runs is not None
        assert cell.id is not None
        known = self._runs.known.get(cell.id)
        if known is not None:
            try:
                self._fill(study, cell, record, known, problems, said)
                return
            except Replace as conflict:
                self._runs.delete(cell.id)
                said.append(f"{cell.title}: the run {known.run_id} was replaced, because {conflict}")
        known = self._runs.create(cell.id, record)
        self._fill(study, cell, record, known, problems, said)

    @contextlib.contextmanager
    def _noting(self, what: str, problems: list[str]) -> Iterator[None]:
        """An error that concerns only ``what`` is noted, and the pass goes on."""
        try:
            yield
        except Exception as error:
            if is_outage(error):
                raise
            self._doubtful = True
            problems.append(f"{what}: {words(error, self.tracking)}")

    def _fill(self, study: Study, cell: CellView, record: Record, known: Known, problems: list[str], said: list[str]) -> None:
        assert self._runs is not None
        self._runs.check(known, record)
        if missing := ensure_model(self._runs, known, model_of(study, cell, record), self._thorough):
            said.append(missing)
        with tempfile.TemporaryDirectory(prefix="facegrid-sync-", ignore_cleanup_errors=True) as folder:
            copied = [*cell.stages, "config", "stages", *(f"failure:{label}" for label in cell.failures)]
            lost = lost_stages(self._runs.client, known, copied) if self._thorough and not known.mine else ()
            gathering = Gathering(
                study, cell, known, self._runs.history, Path(folder), problems, lost, self._thorough, record.datasets,
                page_of_report(self._runs),
            )  # fmt: skip
            self._runs.apply(known, gathering.gather(), record)

    def _begin_report(self, study: Study, starts: list[int], problems: list[str], said: list[str]) -> None:
        """Creates the run of the report, which the descriptions of all others link to."""
        assert self._runs is not None
        folder = self.path / "report"
        if not folder.is_dir() or not any(folder.iterdir()):
            return
        with self._noting("report", problems):
            known = self._runs.known.get(REPORT)
            if known is not None and known.tags.get(LAYOUT) != VERSION:
                self._runs.delete(REPORT)
                said.append(f"report: the run {known.run_id} was replaced, because another version of facegrid wrote it")
                known = None
            if known is None:
                self._runs.create(REPORT, report_record(study, folder, min(starts, default=None)))

    def _report(self, study: Study, problems: list[str]) -> None:
        """Copies what the run of the report lacks."""
        assert self._runs is not None
        folder, known = self.path / "report", self._runs.known.get(REPORT)
        if known is None or not folder.is_dir():
            return
        with self._noting("report", problems):
            files = partial(files_of, self._runs.client) if self._thorough else None
            with tempfile.TemporaryDirectory(prefix="facegrid-sync-", ignore_cleanup_errors=True) as temporary:
                change = gather_report(folder, known, Path(temporary), files)
                if change is not None:
                    self._runs.apply(known, change, report_record(study, folder, None))


def _note(path: Path, found: SyncResult) -> None:
    """Records in the study which run belongs to which cell; the file is written atomically."""
    text = json.dumps(
        {
            "experiment": found.experiment, "experiment_id": found.experiment_id, "tracking": found.tracking,
            "runs": found.runs, "report": found.report,
        },
        indent=1, sort_keys=True,
    ) + "\n"  # fmt: skip
    store = LocalStore(path)
    if store.get("mlflow.json") != text.encode():
        store.put("mlflow.json", text.encode())
