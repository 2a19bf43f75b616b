"""Attribute metrics of each cohort of a protocol's images: entries of ``metrics.json``, the table, the columns of reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datamodules.evaluation_sets.cohorts import combined
from datamodules.protocols.attributes import AttributesProtocolConfig
from grid.evaluation.evaluator import Predicted, csv_text
from grid.spec.measure import NOT_NEGATIVE, SHARE, Measure
from modules.metrics.attribute_cohorts import Attribute, compare_cohorts, of_classes, of_numbers
from modules.metrics.unit_bootstrap import Draws

KEYS = ("target", "class", "metric", "cohorts", "cohort")
FIELDS = (*KEYS, "value", "low", "high", "n", "difference", "difference_low", "difference_high", "p")
GAP = "_gap"
SHOWN = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "mae": "MAE"}  # gaps in tables and in tracking


def add_cohorts(
    entry: dict[str, Any],
    columns: Mapping[str, Any],
    places: np.ndarray,
    truth: np.ndarray,
    found: Predicted,
    ordered: bool,
    draws: Draws,
    protocol: AttributesProtocolConfig,
) -> None:
    """Adds to a target's entry: under ``cohorts`` every metric of each cohort, and beside each metric its gap.

    Args:
        entry: the target's metrics over all images
        columns: of the dataset, by name
        places: int (N,), the evaluated images' places in the columns
        truth: (N,), labels of the target
        found: predictions (N, classes) or (N,) of these images
        ordered: the target's classes have an order
        draws: how these images are resampled
        protocol: with the names of ``cohorts``
    """
    attribute: Attribute
    if found.classes is None:
        attribute = of_numbers(truth, found.values, draws, tolerance=protocol.tolerance)
    else:
        attribute = of_classes(truth, found.values, draws, ordered=ordered, bins=protocol.bins)
    classes = list(entry.get("per_class", {}))
    entry["cohorts"] = {}
    for cohorts in protocol.cohorts:
        index, names = combined(columns, cohorts)
        names = [name.replace(":", " ") for name in names]  # a colon separates the parts of a metric's key
        compared = compare_cohorts(attribute, index[places], names)
        metrics: dict[str, Any] = {}
        per_class: dict[str, Any] = {name: {} for name in classes}
        for (metric, k), one in compared.pop("metrics").items():
            widest = one.pop("gap", None)
            where, of = (metrics, entry) if k < 0 else (per_class[classes[k]], entry["per_class"][classes[k]])
            where[metric] = one
            if widest is not None:
                of.setdefault(metric + GAP, {})[cohorts] = widest
        entry["cohorts"][cohorts] = {**compared, "metrics": metrics, **({"per_class": per_class} if classes else {})}


def gap_measures(name: str, found: Sequence[Mapping[str, Any]]) -> Iterator[Measure]:
    """The columns of a target's gaps, given its entries in several cells; other gaps are in the report's section."""
    for metric, title in SHOWN.items():
        groupings = dict.fromkeys(cohorts for one in found for cohorts in one.get(metric + GAP, {}))
        unit = next((one["unit"] for one in found if one.get("unit")), "") if metric == "mae" else ""
        for cohorts in groupings:
            yield Measure(
                f"targets:{name}:{metric}{GAP}:{cohorts}",
                f"{name}: {title} gap, {cohorts}" + (f" [{unit}]" if unit else ""),
                percent=metric != "mae",
                lower_is_better=True,
                headline=False,
                range=NOT_NEGATIVE if metric == "mae" else SHARE,
            )


def cohorts_csv(targets: Mapping[str, Mapping[str, Any]]) -> str:
    """One line per target, class, metric and cohort, and one with an empty cohort for the gap."""
    return csv_text(FIELDS, _lines(targets))


def _lines(targets: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[Any]]:
    for target, entry in targets.items():
        for grouping, one in entry.get("cohorts", {}).items():
            groups = [("", one["metrics"], entry)]
            groups += [(name, one["per_class"][name], entry["per_class"][name]) for name in one.get("per_class", {})]
            for label, metrics, gaps in groups:
                for metric, compared in metrics.items():
                    start = [target, label, metric, grouping]
                    for cohort, value in compared["cohorts"].items():
                        apart = compared.get("differences", {}).get(cohort, {})
                        difference = map(apart.get, ("value", "low", "high", "p"))
                        yield [*start, cohort, *map(value.get, ("value", "low", "high", "n")), *difference]
                    if widest := gaps.get(metric + GAP, {}).get(grouping):
                        yield [
                            *start,
                            "",
                            *(widest[key] for key in ("value", "low", "high", "n")),
                            None,
                            None,
                            None,
                            widest["p"],
                        ]
