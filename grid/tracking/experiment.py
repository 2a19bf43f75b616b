"""The MLflow experiment of a study: finds or creates it, describes it, and opens it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

from grid.ledger.ledger import Damaged
from grid.ledger.study import Study, finished
from grid.results.columns import Column
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import SHOWN_ID
from grid.tracking.describe import experiment_note
from grid.tracking.links import charts_page, report_page
from grid.tracking.metrics import columns_logged, metric_key
from grid.tracking.record import NOTE, REPORT
from grid.tracking.runs import Runs
from grid.tracking.uri import artifacts_of, connect
from grid.tracking.views import VIEW, views

NAME_TRIES = 8
TAG = "facegrid.study_id"  # of the experiment of a study


def open_experiment(study: Study, tracking: str) -> Runs:
    """The study's experiment, created if missing, and the contents of its runs."""
    client = connect(tracking)
    experiment, made = _experiment(client, study, artifacts_of(tracking, study.path))
    runs = Runs(client, experiment.experiment_id, experiment.name, study.id, experiment.tags)
    runs.writes += made
    return runs


def experiments_of(client: Any, study: Study) -> list[Any]:
    """The experiments with the tag of the study, deleted ones too: normally one, and none before anything was copied."""
    from mlflow.entities import ViewType

    return list(client.search_experiments(filter_string=f"tags.`{TAG}` = '{study.id}'", view_type=ViewType.ALL))


def columns_of(study: Study) -> list[tuple[str, Column]]:
    """The columns of results that are logged, each with the name of its metric in MLflow."""
    columns, seen = [], set()
    for cell in study.cells:
        for label in cell.names:
            marker = cell.markers.get(label)
            if marker is None or label in seen:
                continue
            with contextlib.suppress(Damaged):
                if (result := known_kind(label.kind).result(finished(study.ledger, label, marker))) is not None:
                    columns += [(metric_key(label, column), column) for column in columns_logged(label, result)]
                    seen.add(label)
    return columns


def tags_of_experiment(study: Study, columns: Sequence[tuple[str, Column]], runs: Runs) -> dict[str, str]:
    """Tags of the experiment: its description, and the views of its page."""
    return {NOTE: experiment_note(study, charts_page(runs.experiment_id, VIEW), page_of_report(runs)), **views(study, columns)}


def page_of_report(runs: Runs) -> str | None:
    """The address of the report on MLflow's pages; None if it has none."""
    summary = runs.known.get(REPORT)
    return report_page(runs.experiment_id, summary.run_id) if summary else None


def _experiment(client: Any, study: Study, artifacts: str | None) -> tuple[Any, int]:
    """The experiment, and the number of writes needed to obtain it.

    It is identified by its tag, so it may be renamed; an experiment with the same name from another study is not modified.
    """
    from mlflow.exceptions import MlflowException

    if found := experiments_of(client, study):
        oldest = min(found, key=lambda one: (one.creation_time or 0, one.experiment_id))
        if oldest.lifecycle_stage == "deleted":
            client.restore_experiment(oldest.experiment_id)
            return client.get_experiment(oldest.experiment_id), 1
        return oldest, 0
    name = study.name
    for _ in range(NAME_TRIES):
        if client.get_experiment_by_name(name) is None:
            tags = {TAG: study.id, "facegrid.grid": study.name, "mlflow.experimentKind": "custom_model_development"}
            try:
                return client.get_experiment(client.create_experiment(name, artifacts, tags)), 1
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise  # otherwise another study has just taken the name
        other = f"{study.name} ({study.id[:SHOWN_ID]})"
        name = other if name == study.name else f"{study.name} ({study.id[:SHOWN_ID]} {uuid.uuid4().hex[:4]})"
    raise RuntimeError(f"no free name for an experiment like {study.name!r}")
