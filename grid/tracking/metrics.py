"""The numbers of a run: a learning curve per epoch, and the headline results of every finished stage.

Names are grouped by what stands before the slash, and MLflow sorts the groups by name, so the learning curves come first. An
evaluation logs what the report shows of it; intervals, counts and thresholds are in the artifact ``metrics/<protocol>.json``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.component import digest
from grid.ledger.ledger import Ledger, Marker
from grid.results.columns import Column, columns_of
from grid.spec.measure import entry_of
from grid.spec.stage_kind import StageName
from grid.tracking.names import safe, segment

CURVES = {"train": "Learning curves"}  # the group of an epoch's numbers; of other kinds that learn: "Learning curves, pretrain"
SPEED = "images_per_second"  # of the machine: shown, but two equal computations differ in it
BOOKKEEPING = frozenset({"epoch", "step", "time", "seconds", "position", "whole", "checkpoint", "sha256", "best_checkpoint"})
KEPT = "kept_epoch"
LEARNED = ("epochs", KEPT, "validation_loss", "validation_accuracy", "parameters")  # of a training
LOST = (  # logged where it is not 0, since a result without some images is not comparable
    "dropped_pairs", "dropped_probes", "dropped_gallery", "dropped_images", "missing_faces", "skipped_images",
)  # fmt: skip
MOST = 15  # headline results of one protocol
QUANTITIES = {"ten_fold": "accuracy_ten_fold", "best_threshold": "accuracy_best_threshold"}
RATES = {"val": "val_at_far_", "tar": "tar_at_far_", "dir": "dir_at_far_", "cmc": "rank_", "pairwise": "pairwise_f "}


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    key: str
    value: float
    time: int  # unix milliseconds
    step: int


def curve(ledger: Ledger, kind: str, id: str, marker: Marker | None) -> list[list[Point]]:
    """One list of points per finished epoch, in order, with the times at which they ended. Epochs count from 1."""
    rows = ledger.events(kind, id)
    if marker and len(rows) < marker.facts.get("epochs", 0):  # events may have been freed; the history never is
        rows = [
            {"time": marker.finished, **timing, **row}
            for timing, row in zip(_timing(ledger, marker), ledger.json(marker, "history.json"), strict=False)
        ]
    group = CURVES.get(kind, f"Learning curves {segment(kind)}")
    return [
        [
            Point(safe(f"{group}/{key}"), value, milliseconds(row["time"]), row["epoch"] + 1)
            for key, value in _numbers(row, BOOKKEEPING)
        ]
        for row in rows
    ]


def curve_digest(rows: Sequence[Sequence[Point]]) -> str:
    """Of the values alone: a repeated computation has other times and the same values."""
    return digest([[point.step, point.key, point.value] for row in rows for point in row if not point.key.endswith(SPEED)])[:16]


def finals(label: StageName, marker: Marker, result: Mapping[str, Any]) -> list[Point]:
    """The numbers that a finished stage ends with.

    Args:
        result: of an evaluation ``metrics.json``, of an explanation metric ``score.json``; of other kinds it is not read.
    """
    found: dict[str, Any]
    if label.kind == "evaluate":
        protocol = label.titles[0]
        found = {
            metric_key(column): (entry_of(result, column.key) or {}).get("value")
            for column in headline_columns(protocol, result)
        }
        found |= {f"{segment(protocol)}/{key}": marker.facts[key] for key in LOST if marker.facts.get(key)}
    elif label.kind == "score":
        start = "explanations/" + ".".join(segment(title) for title in label.titles)
        found = {f"{start}.{key}": value for key, value in _explanation_metrics(result).items()}
    elif label.kind in ("train", "pretrain"):
        found = {f"{label.kind}/{key}": marker.facts.get(key) for key in LEARNED}
        if marker.facts.get(KEPT) is not None:
            found[f"{label.kind}/{KEPT}"] = marker.facts[KEPT] + 1  # as the epochs of the curves
        found |= {f"{label.kind}/{key}": marker.facts[key] for key in LOST if marker.facts.get(key)}
    elif label.kind in ("detect", "explain"):
        found = {}
    else:  # a kind of a user's own: the small results that it states
        start = "/".join(segment(part) for part in (label.kind, *label.titles))
        found = {f"{start}/{key}": value for key, value in marker.facts.items() if key != "seconds"}
    return [Point(safe(key), value, milliseconds(marker.finished), 0) for key, value in _numbers(found, frozenset())]


def headline_columns(protocol: str, *results: Mapping[str, Any]) -> list[Column]:
    """The columns of the report that are logged, those that a terminal shows first."""
    columns = columns_of(protocol, results) if results else []
    return sorted(columns, key=lambda column: not column.headline)[:MOST]


def metric_key(column: Column) -> str:
    """``lfw view 2/accuracy_ten_fold``, ``lfw view 2/val_at_far_0.001``."""
    quantity, _, rest = column.key.partition(":")
    name = f"{RATES.get(quantity, f'{quantity} ')}{rest.replace(':', ' ')}" if rest else QUANTITIES.get(quantity, quantity)
    return safe(f"{segment(column.protocol)}/{segment(name)}")


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _explanation_metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    """``auc``; of several maps ``S_plus.auc`` and so on; and how many images could not be scored, if any."""
    if "refused" in result:
        return {}
    found: dict[str, Any] = {"missing": result["missing"]} if result.get("missing") else {}
    for name, entry in result["maps"].items():
        start = f"{map_name(name)}." if name else ""
        found |= {f"{start}{key}": value["value"] for key, value in entry.items()}
    return found


def map_name(name: str) -> str:
    """S+ and S- as names that MLflow takes, and that stay different: S_plus, S_minus."""
    return re.sub(r"-$", "_minus", re.sub(r"\+$", "_plus", name))


def _numbers(row: Mapping[str, Any], skipped: frozenset[str]) -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if key not in skipped and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield key, float(value)


def _timing(ledger: Ledger, marker: Marker) -> Iterator[dict[str, Any]]:
    """One row per epoch, for ever; empty ones where nothing is known."""
    timing = ledger.json(marker, "timing.json") if "timing.json" in marker.outputs else []
    if isinstance(timing, dict):  # columns
        timing = [dict(zip(timing, row, strict=True)) for row in zip(*timing.values(), strict=True)]
    yield from timing
    while True:
        yield {}
