"""Finds and deletes what MLflow needs no more of a study: runs of cells that are no longer in its grid, files of deleted runs.

A replaced run is a deleted one. MLflow lists deleted runs, without their files, until ``mlflow gc`` removes them for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grid.ledger.study import CellView, Study
from grid.ledger.study_identity import is_copy
from grid.results.searches import searches
from grid.spec.stage_name import SHOWN_ID
from grid.tracking import groups, trials
from grid.tracking.answers import is_unknown_endpoint
from grid.tracking.artifacts import files_of
from grid.tracking.bounded import within
from grid.tracking.experiment import experiments_of
from grid.tracking.models import models_of_experiments
from grid.tracking.record import CELL, GROUP, KIND, STUDY, TRIAL
from grid.tracking.run import Known, known_of
from grid.tracking.runs import delete_model, runs_of
from grid.tracking.uri import connect, database_file

REMOVED, DELETED = "runs in MLflow of cells that are no longer in the grid", "files of deleted or replaced runs in MLflow"
DELETE_SECONDS = 600.0  # a server deletes all files of a run before it answers


@dataclass(frozen=True)
class UnneededRun:
    """A run that may be deleted, or of which only files are left.

    Attributes:
        bytes: size of its files
        what: REMOVED, which still is an active run, or DELETED
        uri: where its files are
        models: ids of its models in MLflow
    """

    run_id: str
    name: str
    bytes: int
    what: str
    uri: str
    models: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """For example: ``resnet34 / mtcnn (run 0f3e5c1a)``."""
        return f"{self.name} (run {self.run_id[:SHOWN_ID]})"


def prune_runs(study: Study, tracking: str, dry_run: bool, check: Callable[[], None] = lambda: None) -> Iterator[UnneededRun]:
    """Deletes such runs and files one by one, unless it is a dry run, and yields each. The caller holds the study's lock.

    Only runs with the tag of this study are touched, and of these none that is of a cell in its grid or of its report. A study
    that was just copied has no runs of its own yet.

    Args:
        check: called before each deletion; raises if the lock was lost

    Raises:
        Exception: whatever MLflow's client raises; see ``grid.tracking.answers.words``
    """
    file = database_file(tracking)
    if (file is not None and not file.exists()) or is_copy(study.path, study.record):
        return
    client = connect(tracking)
    for one in list(_unneeded(study, client)):
        if not dry_run:
            check()
            for model in one.models:
                delete_model(client, model)
            if one.what == REMOVED:
                client.delete_run(one.run_id)
            if one.bytes:
                _delete_files(one.uri, tracking)
        yield one


def _unneeded(study: Study, client: Any) -> Iterator[UnneededRun]:
    from mlflow.entities import ViewType

    experiments = experiments_of(client, study)
    if not experiments:
        return
    ids = [one.experiment_id for one in experiments]
    needed, models = _Needed(study), _models(study, client, ids)
    for run in runs_of(client, ids, study.id, run_view_type=ViewType.ALL):
        known = known_of(run)
        active = run.info.lifecycle_stage == "active"
        if active and needed.has(known):
            continue
        size = sum(files_of(client, known).values())
        left = tuple(models[known.run_id])
        if active or size or left:
            yield UnneededRun(known.run_id, known.name, size, REMOVED if active else DELETED, run.info.artifact_uri, left)


def _models(study: Study, client: Any, experiment_ids: list[str]) -> Mapping[str, list[str]]:
    """The ids of the models of each run, by the run's id."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        for one in models_of_experiments(client, experiment_ids, f"tags.`{STUDY}` = '{study.id}'"):
            found[one.source_run_id].append(one.model_id)
    except Exception as error:
        if not is_unknown_endpoint(error):
            raise
    return found


class _Needed:
    """Which runs a study needs: those of cells in its grid, of their combinations and searches, its report, and unknown ones.

    A cell of the grid whose data are missing has no id at the moment, so as long as there is one, its run may be any run whose
    levels are unknown.
    """

    def __init__(self, study: Study) -> None:
        shown = [cell for cell in study.cells if not cell.hidden]
        self._cells = {cell.id for cell in shown}
        self._blocked = [cell.levels for cell in shown if cell.id is None and cell.state == "blocked"]
        self._hidden: Mapping[str | None, CellView] = {cell.id: cell for cell in study.cells if cell.hidden}
        self._groups = {groups.key_of(cell) for cell in shown}
        self._trials = {trials.key_of(search, trial) for search in searches(study) for trial in search.trials}

    def has(self, run: Known) -> bool:
        kind, tags = run.tags.get(KIND), run.tags
        if kind == "cell":
            id = tags.get(CELL)
            before = self._hidden.get(id)
            blocked = bool(self._blocked) and (before is None or before.levels in self._blocked)
            return id in self._cells or blocked
        if kind == "group" and not self._blocked:
            return tags.get(GROUP) in self._groups
        if kind == "trial" and not self._blocked:
            return tags.get(TRIAL) in self._trials
        return True


def _delete_files(uri: str, tracking: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    within(DELETE_SECONDS, get_artifact_repository(uri, tracking).delete_artifacts)
