"""One run: its state in MLflow, and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configs.component import digest
from grid.tracking.metrics import Point
from grid.tracking.record import MODEL, NOTE, NOTED, TAG, Seen


class Replace(Exception):
    """The run contains something that MLflow cannot change; the message says what."""


@dataclass
class Known:
    """A run as stored in MLflow."""

    run_id: str
    name: str
    status: str
    end: int | None
    start: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]  # the latest value of each
    datasets: set[tuple[str, str, str]]  # name, digest, context
    artifacts: str = ""  # address of its artifacts
    mine: bool = False  # this object wrote all of its points
    compared: set[str] = field(default_factory=set)  # stages whose points were read back
    verified: set[str] = field(default_factory=set)  # stages whose final metrics were compared since the run was read
    described: Any = None  # the input of the description
    files: dict[str, Any] | None = None  # the content of FILES; None if not read
    model: str | None = None  # id of its model in MLflow
    linked: set[str] | None = None  # the metrics that the model has; None if not read

    @property
    def unsure_of_links(self) -> bool:
        """Whether its model may lack final metrics: the tag that is written last says nothing else."""
        return self.model is not None and self.tags.get(MODEL) != self.model

    def lacks_link(self, key: str) -> bool:
        """Whether its model may lack this final metric of the run."""
        return self.unsure_of_links if self.linked is None else self.model is not None and key not in self.linked


@dataclass
class Change:
    """What a run lacks. ``ticks`` are tags that mark stages as complete, so they are written last."""

    points: list[Point] = field(default_factory=list)
    finals: dict[str, Seen | None] = field(default_factory=dict)  # final metrics, which the model gets too -> their dataset
    tags: dict[str, str] = field(default_factory=dict)
    ticks: dict[str, str] = field(default_factory=dict)
    files: Path | None = None  # a folder
    owners: dict[str, list[Any]] = field(default_factory=dict)  # file -> [bytes, label of its stage]


def with_note(have: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The tags, including the digest of the description; without both if a user wrote the present description."""
    tags = dict(wanted)
    if NOTE in tags:
        tags[NOTE] = tags[NOTE][:TAG]
        tags[NOTED] = digest(tags[NOTE])[:16]
        if have.get(NOTE) and digest(have[NOTE])[:16] != have.get(NOTED):
            del tags[NOTE], tags[NOTED]
    return tags


def known_of(run: Any) -> Known:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    datasets = {
        (one.dataset.name, one.dataset.digest, next((tag.value for tag in one.tags if tag.key == "mlflow.data.context"), ""))
        for one in inputs
    }
    return Known(
        run.info.run_id, run.info.run_name or "", run.info.status, run.info.end_time, run.info.start_time or 0,
        dict(run.data.tags), dict(run.data.params), dict(run.data.metrics), datasets, run.info.artifact_uri,
        model=run.data.tags.get(MODEL),
    )  # fmt: skip
