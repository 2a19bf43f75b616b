"""The run of one cell in MLflow's terms, derived from the ledger. Does not depend on the MLflow client."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.component import canonical, digest
from grid.ledger.ledger import Ledger, Marker
from grid.ledger.study import CellView, Study
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import EVALUATE, TRAIN, StageName
from grid.spec.yaml_source import flat, get
from grid.tracking.metrics import milliseconds
from grid.tracking.names import safe

VALUE, TAG = 6000, 5000  # maximum length of a param and of a tag in MLflow
DIGEST = 36  # maximum length of a dataset digest in MLflow
OUTSIDE = ("protocols", "explainers", "stages")  # fields of a cell's config that may grow while the cell stays the same
BASICS = {"data": "data.name", "backbone": "backbone.name", "loss": "loss.name", "epochs": "recipe.epochs", "seed": "seed"}
CELL, STUDY, KIND, ERROR = "facegrid.cell", "facegrid.study", "facegrid.kind", "facegrid.error"  # tags
TRIAL, PARENT, HIDDEN = "facegrid.trial", "mlflow.parentRunId", "facegrid.hidden"  # tags of the trials of a search
MODEL = "facegrid.model"  # tag of a cell's run: id of its model in MLflow, once all metrics are linked
GROUP = "facegrid.group"  # tag of the run of a combination of levels, over its replicates
NOTE, NOTED = "mlflow.note.content", "facegrid.note"  # a description, and the digest of the one that facegrid wrote
LAYOUT, VERSION = "facegrid.layout", "2"  # version of the layout of params, metrics and files; runs with another are replaced
WEIGHTS, SHA = "model.safetensors", "facegrid.checkpoint.sha256"  # the output of a training, and the tag with its digest
NEW = (CELL, STUDY, KIND, LAYOUT, TRIAL, GROUP, PARENT)  # tags that a run is created with
REPORT = "report"  # replaces a cell's id for the summary run
PROVENANCE = ("mlflow.source.git.commit", "facegrid.revision", "facegrid.version")  # of the code that ran: never updated


@dataclass(frozen=True)
class Seen:
    """A dataset that a cell was trained or evaluated on."""

    name: str
    digest: str
    context: str  # "training" or "testing"
    source: str  # JSON


@dataclass(frozen=True)
class Record:
    """The desired state of a run, except metrics and files."""

    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: Sequence[Seen]
    status: str  # RUNNING, FINISHED, FAILED
    start: int  # unix milliseconds
    end: int | None


def record_of(study: Study, cell: CellView) -> Record | None:
    """The run of a cell; None for a cell with no stage begun (and for skipped and blocked ones)."""
    own = {name: cell.stages[name] for name in cell.names if known_kind(name.kind).starts}
    if cell.id is None or not (cell.failures or any(cell.attempts[label] or label in cell.markers for label in own)):
        return None
    status = {"done": "FINISHED", "failed": "FAILED"}.get(cell.state, "RUNNING")
    return Record(
        name=" / ".join(cell.levels.values()) or study.name,
        params=params_of(cell),
        tags=tags_of(study, cell),
        datasets=datasets_of(study.ledger, cell),
        status=status,
        start=milliseconds(_began(study.ledger, cell, own)),
        end=_ended(cell, own, status),
    )


def owner_of(tags: Mapping[str, str]) -> str:
    """What a run is of, the key of ``Runs.known``: the report, a trial, a group of replicates, or a cell; empty if unknown."""
    return REPORT if tags.get(KIND) == "summary" else tags.get(TRIAL) or tags.get(GROUP) or tags.get(CELL, "")


def params_of(cell: CellView) -> dict[str, str]:
    """The factors, and a few settings that distinguish runs of several studies.

    MLflow prints every param under every image that it compares, so the rest is in the artifact ``config.json``.
    """
    found = {safe(axis): str(level)[:VALUE] for axis, level in cell.levels.items()}
    for name, key in BASICS.items():
        value = get(cell.config, key)
        if value is not None and not _location(value):
            found.setdefault(name, str(value)[:VALUE])
    if targets := targets_in(cell.config):
        found.setdefault("targets", targets[:VALUE])
    return found


def targets_in(config: Mapping[str, Any]) -> str:
    """The targets of a training, such as ``age, gender``; empty if only the identity is learned."""
    return ", ".join(sorted(config.get("targets") or {}))


def tags_of(study: Study, cell: CellView) -> dict[str, str]:
    assert cell.id is not None
    record = study.record
    found = {
        CELL: cell.id, STUDY: study.id, KIND: "cell", LAYOUT: VERSION, "facegrid.state": cell.state,
        HIDDEN: "true" if cell.hidden else "false", "facegrid.version": str(record.get("version", "")),
        "facegrid.revision": str(record.get("revision") or ""), "mlflow.source.git.commit": str(record.get("revision") or ""),
    }  # fmt: skip
    if TRAIN in cell.attempts:
        found["facegrid.attempts.train"] = str(cell.attempts[TRAIN])
    for key, value in flat({key: part for key, part in cell.config.items() if key not in OUTSIDE}):
        if _location(value):
            found[safe(f"facegrid.location.{key}")] = value
    if (trained := cell.markers.get(TRAIN)) and WEIGHTS in trained.outputs:
        found["facegrid.checkpoint"] = checkpoint_of(study.ledger, trained)
        found[SHA] = trained.outputs[WEIGHTS]["sha256"]
    if cell.state == "failed":
        found[ERROR] = str(cell.reason)
    return {key: value[:TAG] for key, value in found.items() if value}


def stages_of(cell: CellView) -> dict[str, dict[str, Any]]:
    """Label -> its id, the number of attempts, and, if done, its duration and code version."""
    found: dict[str, dict[str, Any]] = {}
    for label in cell.names:
        found[label] = {"id": cell.stages[label], "attempts": cell.attempts[label]}
        if marker := cell.markers.get(label):
            found[label] |= {"seconds": round(marker.finished - marker.started, 3), "code": marker.source}
    return found


def checkpoint_of(ledger: Ledger, trained: Marker) -> str:
    """The path or URL of a network's weights."""
    return ledger.store.place(f"{TRAIN.kind}/{trained.id}/{trained.attempt}/{WEIGHTS}")


def datasets_of(ledger: Ledger, cell: CellView) -> list[Seen]:
    """The training data and each protocol, with the digests of images (and pairs) from their stages' identities.

    A dataset of a run cannot be changed afterwards, so it is omitted until the stage that reads it has begun.
    """
    wanted = [(TRAIN, cell.config["data"]["name"], "training", cell.config["data"])] if cell.config.get("data") else []
    for protocol in cell.config.get("protocols", ()):
        title = protocol.get("label") or protocol["name"]
        wanted.append((StageName(EVALUATE, title), title, "testing", protocol))
    found = []
    for label, name, context, config in wanted:
        identity = ledger.identity(label.kind, cell.stages[label]) if label in cell.stages else {}
        if "images" in identity:
            images, pairs = identity["images"], identity.get("pairs")
            content = images if label == TRAIN else digest({"images": images, "pairs": pairs})
        elif label in cell.markers:  # identities from other stage kinds need not name images
            content = digest(_still(config))
        else:
            continue
        found.append(Seen(name, str(content)[:DIGEST], context, canonical(config)))
    return found


def _location(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")  # configs make every path absolute


def _still(part: Mapping[str, Any]) -> list[Any]:
    """A config without paths."""
    return [[key, value] for key, value in flat(part) if not _location(value)]


def _began(ledger: Ledger, cell: CellView, own: Mapping[StageName, str]) -> float:
    """When the first attempt of the cell's own stages began."""
    times = [marker.started for label, marker in cell.markers.items() if label in own]
    times += [failure.time for failure in cell.failures.values()]
    times += [began for label, id in own.items() if (began := ledger.began(label.kind, id)) is not None]
    return min(times, default=time.time())  # unknown, because its claims are damaged


def _ended(cell: CellView, own: Mapping[StageName, str], status: str) -> int | None:
    if status == "RUNNING":
        return None
    times = [marker.finished for label, marker in cell.markers.items() if label in own]
    return milliseconds(max(times if status == "FINISHED" else [failure.time for failure in cell.failures.values()]))
