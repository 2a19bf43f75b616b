"""Attribute recognition: the metrics of each target, from the network's predictions and the labels of the protocol's images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import Column
from datamodules.evaluation_sets.labeled_images import LabeledImages
from datamodules.protocols.attributes import AttributesProtocolConfig
from grid.evaluation.attribute_cohorts import add_cohorts, cohorts_csv, gap_measures
from grid.evaluation.evaluator import Embedded, EvaluationResult, Predicted, csv_text
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import NOT_NEGATIVE, Measure
from modules.metrics.absolute_error import absolute_error
from modules.metrics.calibration import calibration
from modules.metrics.classification import classification
from modules.metrics.unit_bootstrap import Draws

TABLE, PREDICTIONS, COHORTS = "attributes.csv", "predictions.parquet", "attribute_cohorts.csv"
NUMBERS = ("value", "low", "high", "n")  # columns of the table, after target, class and metric
SHARES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}  # columns of tables; the others are in a section
HEADLINES = ("accuracy", "balanced_accuracy", "mae")


class Task(EvaluationTask):
    predicts = True

    def placed(self, asked: Any, rows: np.ndarray) -> Any:
        return LabeledImages(rows[asked.rows], asked.columns, asked.subjects)

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        names = dict.fromkeys(name for one in found for name in one.get("targets", {}))
        return [measure for name in names for measure in self._of(name, [one["targets"].get(name, {}) for one in found])]

    def figures(self, found: Mapping[str, Any]) -> Mapping[str, bytes]:
        """Confusion matrix and reliability curve of every target with classes."""
        from grid.evaluation.attribute_figures import attribute_figures  # here, so that figures are no part of what computes

        return attribute_figures(found)

    def _of(self, name: str, found: Sequence[Mapping[str, Any]]) -> Iterator[Measure]:
        there = {key: one[key] for one in found for key in one}
        for key, title in SHARES.items():
            if key in there:
                yield Measure(f"targets:{name}:{key}", f"{name}: {title}", headline=key in HEADLINES)
        if "mae" in there:
            unit = f" [{there['unit']}]" if there.get("unit") else ""
            yield Measure(f"targets:{name}:mae", f"{name}: MAE{unit}", percent=False, lower_is_better=True, range=NOT_NEGATIVE)
        if "cumulative_score" in there:
            within = there["cumulative_score"]["tolerance"]
            yield Measure(f"targets:{name}:cumulative_score", f"{name}: CS@{within:g}", headline=False)
        yield from gap_measures(name, found)


def rows(asked: LabeledImages) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return asked.rows


def evaluate(asked: LabeledImages, seen: Embedded, protocol: AttributesProtocolConfig) -> EvaluationResult:
    """Writes ``attributes.csv``, one line per number, and ``predictions.parquet``, one row per image.

    An image without a label of a target is left out for that target, and counted as ``unknown``. With ``cohorts``, also writes
    ``attribute_cohorts.csv``; an image without a cohort is left out there, and counted in the same way.
    """
    here = np.flatnonzero(seen.has(asked.rows))
    subjects = None if asked.subjects is None else asked.subjects[here]
    table: dict[str, Any] = {"key": seen.keys(np.arange(len(seen.rows)))}
    targets: dict[str, Any] = {}
    for name in protocol.targets or sorted(seen.predictions):
        found = seen.predictions[name]
        column = found.target.evaluated(name, asked.columns, found.classes)
        truth, known = _truth(column, found)[here], column.known[here]
        if not known.any():
            raise ValueError(f"protocol {protocol.title}: no image with a usable face has a known value of target {name}")
        of = None if subjects is None else subjects[known]
        draws = Draws(of, protocol.resamples, protocol.seed)
        if found.classes is None:
            error = absolute_error(truth[known], found.values[known], protocol.tolerance, draws)
            targets[name] = {"unit": column.unit, **error}
        else:
            targets[name] = _classes(truth[known], found.values[known], column.ordered, found, protocol.bins, draws)
        targets[name] |= {"images": int(known.sum()), "unknown": int((~known).sum())}
        if protocol.cohorts:
            at = here[known]
            add_cohorts(targets[name], asked.columns, at, truth[known], found.of(known), column.ordered, draws, protocol)
        table |= _columns(name, truth, found)
    lines = [(name, label, metric, *map(entry.get, NUMBERS)) for name, label, metric, entry in _lines(targets)]
    outputs: tuple[str, ...] = (TABLE, PREDICTIONS)
    if protocol.cohorts:
        outputs = (*outputs, COHORTS)
        (seen.folder / COHORTS).write_text(cohorts_csv(targets), encoding="utf-8")
    (seen.folder / TABLE).write_text(csv_text(("target", "class", "metric", *NUMBERS), lines), encoding="utf-8")
    pq.write_table(pa.table(table), seen.folder / PREDICTIONS)
    facts = {f"{name} {key}": one[key]["value"] for name, one in targets.items() for key in HEADLINES if key in one}
    facts |= {"images": len(here), "dropped_images": len(asked.rows) - len(here)}
    return EvaluationResult({"task": "attributes", "images": len(here), "targets": targets}, facts, outputs)


def _truth(column: Column, found: Predicted) -> np.ndarray:
    """Labels (N,) as the network counts its classes; -1 or NaN where unknown."""
    if found.classes is None or column.classes is None:
        return column.values
    place = [found.classes.index(one) if one in found.classes else -1 for one in column.classes]
    labels: np.ndarray = np.array([*place, -1], np.int64)[column.values]
    return labels


def _classes(truth: np.ndarray, values: np.ndarray, ordered: bool, found: Predicted, bins: int, draws: Draws) -> dict[str, Any]:
    assert found.classes is not None, "a target with classes"
    predicted = values.argmax(1)
    metrics = classification(truth, predicted, len(found.classes), draws, ordered=ordered)
    metrics |= calibration(values.max(1), predicted == truth, bins, draws)
    names = [one.replace(":", " ") for one in found.classes]  # a colon separates the parts of a metric's key
    per_class = dict(zip(names, metrics.pop("classes"), strict=True))
    for name, count in zip(names, found.trained, strict=True):
        per_class[name]["trained"] = count
    absent = [name for name, count in zip(names, found.trained, strict=True) if not count]
    return {**metrics, "per_class": per_class, "absent_from_training": absent}


def _columns(name: str, truth: np.ndarray, found: Predicted) -> dict[str, Any]:
    """Columns of the table of predictions: true and predicted value and, for classes, all probabilities."""
    if found.classes is None:
        return {f"{name} true": truth, f"{name} predicted": found.values}
    names = np.array([*found.classes, None], object)
    probabilities = {f"{name} p({one})": found.values[:, k] for k, one in enumerate(found.classes)}
    return {f"{name} true": names[truth], f"{name} predicted": names[found.values.argmax(1)], **probabilities}


def _lines(targets: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(target, class or "", metric, entry) of every number."""
    for name, one in targets.items():
        for key, entry in one.items():
            if isinstance(entry, Mapping) and "value" in entry:
                yield name, "", key, entry
        for label, entries in one.get("per_class", {}).items():
            for key in ("precision", "recall", "f1"):
                yield name, label, key, entries[key]
            for key in ("support", "predicted", "trained"):
                yield name, label, key, {"value": entries[key]}
