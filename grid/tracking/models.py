"""The networks of a study in MLflow: one logged model per cell whose training is finished, an output of the cell's run.

A model has the factors as params, and the final metrics of its run, each with the dataset that it was measured on. It has no
files: the ledger keeps the weights, and ``facegrid export`` takes a network out. The run's tag ``facegrid.model`` has its id,
and is written once all metrics are linked. Servers before MLflow 3.0 have no such models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grid.ledger.study import CellView, Study
from grid.results.columns import listed
from grid.spec.cell_filter import which
from grid.spec.stage_kind import TRAIN
from grid.tracking.answers import is_unknown_endpoint
from grid.tracking.record import CELL, NOTE, SHA, STUDY, TAG, Record
from grid.tracking.run import Known
from grid.tracking.runs import Runs, every

UNSUPPORTED = "this MLflow server has no logged models (they came with MLflow 3.0), so the networks are not listed there"
FORBIDDEN = re.compile("[/:.%\"']")  # in names of models
FACTS = {"parameters": "parameters", "training images": "images", "training classes": "classes", "epochs trained": "epochs"}


@dataclass(frozen=True)
class Model:
    """The desired model of a cell."""

    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


def model_of(study: Study, cell: CellView, record: Record) -> Model | None:
    """The model of a cell; None before its training is finished."""
    trained = cell.markers.get(TRAIN)
    if trained is None:
        return None
    facts = {name: str(trained.facts[key]) for name, key in FACTS.items() if trained.facts.get(key) is not None}
    tags = {key: record.tags[key] for key in (CELL, STUDY, SHA) if key in record.tags}
    where = f" {which(cell.levels)}" if cell.levels else ""
    tags[NOTE] = (
        f"The network of a cell of the grid **{study.name}**. `facegrid export STUDY{where} --to FOLDER` takes it out."[:TAG]
    )
    return Model(FORBIDDEN.sub("_", listed(cell.levels.values()) or study.name), {**facts, **record.params}, tags)


def ensure_model(runs: Runs, known: Known, wanted: Model | None, thorough: bool) -> str | None:
    """Creates the model of a run if MLflow has none, and deletes any but one; sets ``known.model``.

    Args:
        thorough: models that were there are looked up again, with their metrics (``known.linked``), in case they were changed

    Returns:
        A message if the server has no models, and this was not known yet.
    """
    if wanted is None or not runs.has_models or (known.model is not None and (known.mine or not thorough)):
        return None
    try:
        query = f"source_run_id = '{known.run_id}'"
        found = [] if known.mine else list(models_of_experiments(runs.client, [runs.experiment_id], query))
        found.sort(key=lambda one: (one.creation_timestamp, one.model_id))
        kept = next((one for one in found if one.model_id == known.model), found[0] if found else None)
        for other in found:
            if other is not kept:
                runs.write(runs.client.delete_logged_model, other.model_id)
        if kept is None:
            tags, params = dict(wanted.tags), dict(wanted.params)
            kept = runs.write(runs.client.create_logged_model, runs.experiment_id, wanted.name, known.run_id, tags, params)
    except Exception as error:
        if not is_unknown_endpoint(error):
            raise
        with runs.mutex:
            first, runs.has_models = runs.has_models, False
        return UNSUPPORTED if first else None
    if str(kept.status) != "READY":
        runs.write(runs.client.finalize_logged_model, kept.model_id, "READY")
    if kept.model_id not in (() if known.mine else _outputs(runs, known)):
        _output(runs, known, kept.model_id)
    known.linked = {metric.key for metric in kept.metrics or ()} if thorough else None
    known.model = kept.model_id
    return None


def models_of_experiments(client: Any, experiment_ids: list[str], query: str) -> Iterator[Any]:
    """The models that fulfill a query, except deleted ones."""
    return every(client.search_logged_models, experiment_ids, filter_string=query)


def _outputs(runs: Runs, known: Known) -> set[str]:
    """Ids of the models that are outputs of a run."""
    outputs = runs.client.get_run(known.run_id).outputs
    return {one.model_id for one in outputs.model_outputs} if outputs else set()


def _output(runs: Runs, known: Known, model_id: str) -> None:
    from mlflow.entities import LoggedModelOutput

    runs.write(runs.client.log_outputs, known.run_id, [LoggedModelOutput(model_id, step=0)])
