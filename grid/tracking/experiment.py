"""The MLflow experiment of a study: finds or creates it, describes it, and opens it."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from grid.ledger.ledger import Damaged
from grid.ledger.study import Study, finished
from grid.spec.stage_name import SHOWN_ID
from grid.tracking.describe import LISTED_TAG, VIEW_TAG, experiment_note, listed_view, view_state
from grid.tracking.metrics import columns_logged, metric_key
from grid.tracking.record import NOTE, kind_of
from grid.tracking.runs import Runs
from grid.tracking.uri import artifacts_of, connect

NAME_TRIES = 8


def open_experiment(study: Study, tracking: str) -> Runs:
    """The study's experiment, created if missing, and the contents of its runs."""
    client = connect(tracking)
    experiment, made = _experiment(client, study, artifacts_of(tracking, study.path))
    runs = Runs(client, experiment.experiment_id, experiment.name, study.id, experiment.tags)
    runs.writes += made
    return runs


def tags_of_experiment(study: Study) -> dict[str, str]:
    """Tags of the experiment: its description, and the default columns of its page."""
    columns, seen = [], set()
    for cell in study.cells:
        for label in cell.names:
            marker = cell.markers.get(label)
            if marker is None or label in seen:
                continue
            with contextlib.suppress(Damaged):
                if (result := kind_of(label).result(finished(study.ledger, label, marker))) is not None:
                    columns += [(metric_key(label, column), column) for column in columns_logged(label, result)]
                    seen.add(label)
    state = view_state(study, columns)
    return {NOTE: experiment_note(study), VIEW_TAG: state, LISTED_TAG: listed_view(study, state)}


def _experiment(client: Any, study: Study, artifacts: str | None) -> tuple[Any, int]:
    """The experiment, and the number of writes needed to obtain it.

    It is identified by its tag, so it may be renamed; an experiment with the same name from another study is not modified.
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
                    raise  # otherwise another study has just taken the name
        other = f"{study.name} ({study.id[:SHOWN_ID]})"
        name = other if name == study.name else f"{study.name} ({study.id[:SHOWN_ID]} {uuid.uuid4().hex[:4]})"
    raise RuntimeError(f"no free name for an experiment like {study.name!r}")
