"""What the ledger has to say of one cell, in MLflow's words. Pure: nothing here knows MLflow's client."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.component import canonical, digest
from grid.ledger.ledger import Ledger, Marker
from grid.ledger.study import CellView, Study
from grid.tracking.names import safe, segment, stage_key

VALUE, TAG = 6000, 5000  # characters that MLflow keeps of a param, a tag
DIGEST = 36  # characters that MLflow keeps of a dataset's digest
SHARED = "detect"  # a detection serves many cells; that it began does not make each of them begin
OUTSIDE = ("protocols", "explainers", "stages")  # may grow while a cell stays the same, and params cannot change
SPEED = "images_per_second"  # of the machine: shown, but two equal computations differ in it
BOOKKEEPING = frozenset({"epoch", "step", "time", "seconds", "position", "whole", "checkpoint", "sha256", "best_checkpoint"})
CELL, STUDY, KIND, ERROR = "facegrid.cell", "facegrid.study", "facegrid.kind", "facegrid.error"  # tags
REPORT = "report"  # stands for a cell's id where the summary run is meant
VERIFICATION = "verification"  # the task of metrics.json that states none
LOST = ("dropped_pairs", "dropped_probes", "dropped_gallery", "dropped_images", "missing_faces")  # of an evaluation
KEPT = ("validation_loss", "validation_accuracy")  # facts that curves have the names of
PROVENANCE = ("mlflow.source.git.commit", "facegrid.revision", "facegrid.version")  # of the code that ran, so they stay


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    key: str
    value: float
    time: int  # unix milliseconds
    step: int


@dataclass(frozen=True)
class Seen:
    """A dataset that a cell trained on or was tested with."""

    name: str
    digest: str
    context: str  # "training" or "testing"
    source: str  # JSON


@dataclass(frozen=True)
class Record:
    """A run as it should be, but for metrics and files."""

    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: Sequence[Seen]
    status: str  # RUNNING, FINISHED, FAILED
    start: int  # unix milliseconds
    end: int | None


def record_of(study: Study, cell: CellView) -> Record | None:
    """The run of a cell; None for a cell of which no stage began (and for skipped and blocked ones)."""
    own = {label: id for label, id in cell.stages.items() if kind_of(label) != SHARED}
    if cell.id is None or not (cell.failures or any(cell.attempts[label] or label in cell.markers for label in own)):
        return None
    status = {"done": "FINISHED", "failed": "FAILED"}.get(cell.state, "RUNNING")
    return Record(
        name=" / ".join(cell.levels.values()) or study.name,
        params=params_of(cell),
        tags=tags_of(study, cell),
        datasets=datasets_of(study.ledger, cell),
        status=status,
        start=_milliseconds(_began(study.ledger, cell, own)),
        end=_ended(cell, own, status),
    )


def kind_of(label: str) -> str:
    return label.partition(":")[0]


def params_of(cell: CellView) -> dict[str, str]:
    """Factors by axis, and the resolved config as ``config.backbone.name``. Locations are no params: they may move."""
    found = {safe(axis): str(level)[:VALUE] for axis, level in cell.levels.items()}
    for key, value in _flat({key: part for key, part in cell.config.items() if key not in OUTSIDE}):
        if not _location(value):
            found[safe(f"config.{key}")] = _text(value)[:VALUE]
    return found


def tags_of(study: Study, cell: CellView) -> dict[str, str]:
    assert cell.id is not None
    record = study.record
    found = {
        CELL: cell.id, STUDY: study.id, KIND: "cell", "facegrid.state": cell.state,
        "facegrid.hidden": "true" if cell.hidden else "false", "facegrid.version": str(record.get("version", "")),
        "facegrid.revision": str(record.get("revision") or ""), "mlflow.source.git.commit": str(record.get("revision") or ""),
    }  # fmt: skip
    for label, id in cell.stages.items():
        found[safe(f"facegrid.stage.{stage_key(label)}")] = id
        found[safe(f"facegrid.attempts.{stage_key(label)}")] = str(cell.attempts[label])
        if marker := cell.markers.get(label):
            found[safe(f"facegrid.source.{stage_key(label)}")] = marker.source
    for key, value in _flat({key: part for key, part in cell.config.items() if key not in OUTSIDE}):
        if _location(value):
            found[safe(f"facegrid.location.{key}")] = value
    if trained := cell.markers.get("train"):
        weights = "model.safetensors"
        if weights in trained.outputs:
            found["facegrid.checkpoint"] = checkpoint_of(study.ledger, trained)
            found["facegrid.checkpoint.sha256"] = trained.outputs[weights]["sha256"]
    if cell.state == "failed":
        found[ERROR] = str(cell.reason)
    return {key: value[:TAG] for key, value in found.items() if value}


def checkpoint_of(ledger: Ledger, trained: Marker) -> str:
    """The path or URL of a network's weights."""
    return ledger.store.place(f"train/{trained.id}/{trained.attempt}/model.safetensors")


def datasets_of(ledger: Ledger, cell: CellView) -> list[Seen]:
    """The training data and each protocol, with the digests of images (and pairs) that their stages' identities state.

    A dataset of a run cannot be changed afterwards, so it is left out until the stage that reads it has begun.
    """
    wanted = [("train", cell.config["data"]["name"], "training", cell.config["data"])] if cell.config.get("data") else []
    for protocol in cell.config.get("protocols", ()):
        title = protocol.get("label") or protocol["name"]
        wanted.append((f"evaluate:{title}", title, "testing", protocol))
    found = []
    for label, name, context, config in wanted:
        identity = _identity(ledger, kind_of(label), cell.stages[label]) if label in cell.stages else {}
        if "images" in identity:
            images, pairs = identity["images"], identity.get("pairs")
            content = images if label == "train" else digest({"images": images, "pairs": pairs})
        elif label in cell.markers:  # identities of other makers need not name images
            content = digest(_still(config))
        else:
            continue
        found.append(Seen(name, str(content)[:DIGEST], context, canonical(config)))
    return found


def curve(ledger: Ledger, kind: str, id: str, marker: Marker | None) -> list[list[Point]]:
    """One list of points per finished epoch, in order, with the times at which the epochs ended."""
    rows = ledger.events(kind, id)
    if marker and len(rows) < marker.facts.get("epochs", 0):  # events may have been freed; the history never is
        rows = [
            {"time": marker.finished, **timing, **row}
            for timing, row in zip(_timing(ledger, marker), ledger.json(marker, "history.json"), strict=False)
        ]
    prefix = "" if kind == "train" else f"{kind}/"
    return [
        [
            Point(safe(prefix + key), value, _milliseconds(row["time"]), row["epoch"])
            for key, value in _numbers(row, BOOKKEEPING)
        ]
        for row in rows
    ]


def _timing(ledger: Ledger, marker: Marker) -> Iterator[dict[str, Any]]:
    """One row per epoch, for ever; empty ones where nothing is known."""
    timing = ledger.json(marker, "timing.json") if "timing.json" in marker.outputs else []
    if isinstance(timing, dict):  # columns
        timing = [dict(zip(timing, row, strict=True)) for row in zip(*timing.values(), strict=True)]
    yield from timing
    while True:
        yield {}


def curve_digest(rows: Sequence[Sequence[Point]]) -> str:
    """Of the values alone: a repeated computation has other times and the same values."""
    return digest([[point.step, point.key, point.value] for row in rows for point in row if not point.key.endswith(SPEED)])[:16]


def finals(label: str, marker: Marker, metrics: Mapping[str, Any]) -> list[Point]:
    """The numbers that a finished stage ends with: facts of a training, ``metrics.json`` of an evaluation, ``score.json``."""
    kind, _, title = label.partition(":")
    found: dict[str, Any] = {}
    if kind == "evaluate":
        measured = _verification(metrics) if metrics.get("task", VERIFICATION) == VERIFICATION else _measured(metrics)
        found = {f"{segment(title)}/{key}": value for key, value in measured.items()}
        found |= {f"{segment(title)}/{key}": marker.facts.get(key) for key in LOST}
    elif kind == "score":
        method, _, score = title.rpartition(":")
        found = {f"{segment(score)}.{segment(method)}.{key}": value for key, value in _scored(metrics).items()}
    elif kind in ("train", "pretrain"):
        found = {f"{kind}/{'kept_' if key in KEPT else ''}{key}": value for key, value in marker.facts.items()}
    return [Point(safe(key), value, _milliseconds(marker.finished), 0) for key, value in _numbers(found, frozenset())]


def _verification(metrics: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: metrics.get(key) for key in ("pairs", "genuine", "impostor")}
    named = {"accuracy_oracle": "oracle", "accuracy_tenfold": "tenfold", "eer": "eer", "auc": "auc"}
    parts = {name: metrics.get(key) or {} for name, key in named.items()}
    parts |= {f"val_at_far_{far}": part for far, part in (metrics.get("val") or {}).items()}
    for name, part in parts.items():
        found |= {name: part.get("value"), f"{name}_low": part.get("low"), f"{name}_high": part.get("high")}
        found[f"{name}_threshold"] = part.get("threshold")
    found["tenfold_se"] = parts["accuracy_tenfold"].get("se")
    return found | {key: value for key, value in (metrics.get("confusion") or {}).items() if key != "threshold"}


def _measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Of other tasks: each number by the path to it, such as "cmc/1"; its ends as "cmc/1_low" and "cmc/1_high"."""
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping) and "value" in value:
            found |= {key: value["value"], f"{key}_low": value.get("low"), f"{key}_high": value.get("high")}
        elif isinstance(value, Mapping):
            found |= {f"{key}/{name}": number for name, number in _measured(value).items()}
        else:
            found[key] = value
    return found


def _scored(result: Mapping[str, Any]) -> dict[str, Any]:
    """Of a score: ``auc``, ``auc_low``, ``auc_high``; of several maps ``S_plus.auc`` and so on; and how many were scored."""
    if "refused" in result:
        return {}
    found: dict[str, Any] = {str(result["of"]): result["count"], "missing": result.get("missing")}
    for name, entry in result["maps"].items():
        start = f"{map_name(name)}." if name else ""
        for key, value in entry.items():
            found |= {
                f"{start}{key}": value["value"],
                f"{start}{key}_low": value.get("low"),
                f"{start}{key}_high": value.get("high"),
            }
    return found


def map_name(name: str) -> str:
    """S+ and S- as names that MLflow takes, and that stay different: S_plus, S_minus."""
    return re.sub(r"-$", "_minus", re.sub(r"\+$", "_plus", name))


def _numbers(row: Mapping[str, Any], skipped: frozenset[str]) -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if key not in skipped and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield key, float(value)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _flat(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _location(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")  # configs make every path absolute


def _still(part: Mapping[str, Any]) -> list[Any]:
    """A config without its locations."""
    return [[key, value] for key, value in _flat(part) if not _location(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _identity(ledger: Ledger, kind: str, id: str) -> dict[str, Any]:
    return ledger.identity(kind, id)


def _began(ledger: Ledger, cell: CellView, own: Mapping[str, str]) -> float:
    """When the first attempt of the cell's own stages began."""
    times = [marker.started for label, marker in cell.markers.items() if label in own]
    times += [failure.time for failure in cell.failures.values()]
    for label, id in own.items():
        if (began := ledger.began(kind_of(label), id)) is not None:
            times.append(began)
    return min(times, default=time.time())  # nothing says when: its claims are damaged


def _ended(cell: CellView, own: Mapping[str, str], status: str) -> int | None:
    if status == "RUNNING":
        return None
    times = [marker.finished for label, marker in cell.markers.items() if label in own]
    return _milliseconds(max(times if status == "FINISHED" else [failure.time for failure in cell.failures.values()]))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
