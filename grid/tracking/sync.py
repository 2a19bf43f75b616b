"""The only writer to MLflow: copies from a study's ledger what MLflow lacks.

A pass compares and writes the difference, so it may be interrupted anywhere, repeated, or delayed; after a complete pass,
another one writes nothing. A run is identified by tags with the ids of the study and the cell, so there is exactly one per
cell. MLflow cannot change a param or remove a point of a metric, so a run that contradicts the ledger is replaced by a new one.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grid.abort import LaunchAborted
from grid.ledger.store import LocalStore
from grid.ledger.study import CellView, Study
from grid.secrets import masked
from grid.tracking.answers import is_outage, sentence, words
from grid.tracking.artifacts import files_of, lost_stages, scratch
from grid.tracking.experiment import columns_of, open_experiment, page_of_report, tags_of_experiment
from grid.tracking.groups import copy_groups, under_group
from grid.tracking.models import ensure_model, model_of
from grid.tracking.parallel import each, threads_for
from grid.tracking.record import KIND, REPORT, Record, record_of
from grid.tracking.run import Known
from grid.tracking.runs import Runs
from grid.tracking.stages import Gathering, gather_report, report_record
from grid.tracking.trials import copy_trials
from grid.tracking.uri import remote, tracking_of, tracking_uri


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
    return MlflowSync(study, tracking_uri(tracking, study.path) if tracking else tracking_of(study), check).once(
        report, thorough
    )


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

    def once(self, report: bool = False, thorough: bool = False) -> SyncResult:
        """One pass, see ``sync_pass``; never raises for errors of MLflow."""
        problems: list[str] = []
        said: list[str] = []
        before = self._runs.writes if self._runs else 0
        unreachable = doubtful = False
        try:
            self.check()
            study = Study(self.path)
            if self._runs is None:
                self._runs = open_experiment(study, self.tracking)
                said += self._runs.unite()
            copying = _Pass(study, self._runs, self.tracking, self.check, thorough, problems, said)
            copying.copy(report)
            doubtful = copying.doubtful
        except LaunchAborted:
            raise
        except Exception as error:
            unreachable = True
            problems.append(f"{sentence(error, self.tracking)}; the next pass copies what is missing")
        runs = self._runs
        if unreachable or doubtful:
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
            _note(self.path, found, copying.copied)
        return found


@dataclass
class _Pass:
    """One pass.

    Attributes:
        doubtful: a write failed, so MLflow is read again before the next pass
        copied: cell id -> its state, of those whose run has all of it
    """

    study: Study
    runs: Runs
    tracking: str
    check: Callable[[], None]
    thorough: bool
    problems: list[str]
    said: list[str]
    doubtful: bool = False
    copied: dict[str, str] = field(default_factory=dict)

    def copy(self, report: bool) -> None:
        """Copies everything; raises what stops the whole pass."""
        study, runs = self.study, self.runs
        begun = [(cell, record) for cell in study.cells if (record := record_of(study, cell))]
        folder = study.path / "report"
        report = report and folder.is_dir() and any(folder.iterdir())
        if report:  # first, because the descriptions of all others link to it
            with self._noting("report", self.problems):
                record = report_record(study, folder, min((record.start for _, record in begun), default=None))
                runs.fill(REPORT, record, "report", lambda known: None, self.said)
        records = self._cells(begun)
        columns = columns_of(study)
        with self._noting("replicates", self.problems):
            self.said += copy_groups(study, runs, records, columns, self.thorough, page_of_report(runs))
        with self._noting("trials", self.problems):
            self.said += copy_trials(study, runs, self.thorough)
        if report and (known := runs.known.get(REPORT)):
            with self._noting("report", self.problems), scratch() as temporary:
                files = partial(files_of, runs.client) if self.thorough else None
                if change := gather_report(folder, known, Path(temporary), files):
                    runs.apply(known, change, report_record(study, folder, None))
        runs.describe(tags_of_experiment(study, columns, runs))
        if remote(self.tracking) and runs.created:  # a request that was sent twice may have created two runs
            self.said += runs.unite()

    def _cells(self, cells: Sequence[tuple[CellView, Record]]) -> dict[str, Record]:
        """Copies cells; returns the records of those that have a run. A hidden cell gets no new run."""
        todo = [(cell, record) for cell, record in cells if not cell.hidden or cell.id in self.runs.known]  # else pruned
        grouping = threading.Lock()

        def copy(work: tuple[CellView, Record]) -> tuple[Record | None, list[str], list[str]]:
            self.check()
            (cell, record), problems, said = work, list[str](), list[str]()
            found = None
            with self._noting(cell.title, problems):
                with grouping:
                    found = under_group(self.study, self.runs, cell, record)
                self._cell(cell, found, problems, said)
            return found, problems, said

        records = {}
        for (cell, _), (found, problems, said) in zip(todo, each(copy, todo, threads_for(self.tracking)), strict=True):
            if found is not None:
                records[str(cell.id)] = found
                self.copied |= {} if problems else {str(cell.id): cell.state}
            self.problems += problems
            self.said += said
        return records

    def _cell(self, cell: CellView, record: Record, problems: list[str], said: list[str]) -> None:
        def fill(known: Known) -> None:
            if missing := ensure_model(self.runs, known, model_of(self.study, cell, record), self.thorough):
                said.append(missing)
            copied = [*cell.stages, "config", "stages", *(f"failure:{label}" for label in cell.failures)]
            lost = lost_stages(self.runs.client, known, copied) if self.thorough and not known.mine else ()
            with scratch() as folder:
                gathering = Gathering(
                    self.study, cell, known, self.runs, Path(folder), problems, lost, self.thorough, record.datasets,
                    page_of_report(self.runs),
                )  # fmt: skip
                self.runs.apply(known, gathering.gather(), record)

        self.runs.fill(str(cell.id), record, cell.title, fill, said)

    @contextlib.contextmanager
    def _noting(self, what: str, problems: list[str]) -> Iterator[None]:
        """An error that concerns only ``what`` is noted, and the pass goes on."""
        try:
            yield
        except Exception as error:
            if is_outage(error):
                raise
            self.doubtful = True
            problems.append(f"{what}: {words(error, self.tracking)}")


def _note(path: Path, found: SyncResult, copied: Mapping[str, str]) -> None:
    """Records in the study which run belongs to which cell, and in which state it was copied; written atomically."""
    text = json.dumps(
        {
            "experiment": found.experiment, "experiment_id": found.experiment_id, "tracking": found.tracking,
            "runs": found.runs, "report": found.report, "copied": copied,
        },
        indent=1, sort_keys=True,
    ) + "\n"  # fmt: skip
    store = LocalStore(path)
    if store.get("mlflow.json") != text.encode():
        store.put("mlflow.json", text.encode())
