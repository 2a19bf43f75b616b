"""Demographic differentials: error rates of cohorts at one global threshold, from the scores of a finished evaluation.

The threshold is the lowest one at which the FMR over all impostor pairs does not exceed ``far``. False match rates are those of
impostor pairs within a cohort, false non-match rates those of its genuine pairs; see ``modules.metrics.cohorts`` (ISO/IEC
19795-10). A cohort is a class of a column of the protocol's dataset, or a combination of classes (``race*gender``).
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import ProtocolConfig
from configs.staging import StageConfig
from datamodules.evaluation_sets.cohorts import check_columns, combined, parts
from grid.figure_png import figure_png
from grid.spec.finished import Finished
from grid.spec.measure import SHARE, Measure, keys_in
from grid.spec.stage_kind import RESULT, Graph
from grid.spec.stage_name import EVALUATE
from grid.stages.context import Context, Result, write_json
from grid.stages.pair_protocol import PairsKind

if TYPE_CHECKING:
    from modules.metrics.cohorts import CohortRate

TABLE, PICTURE = "cohorts.csv", "cohorts.png"
RATES = {"fmr": "FMR", "fnmr": "FNMR"}


class DifferentialsConfig(StageConfig):
    """Fields:
    protocol: title of a protocol with pairs of images; None: the first one
    cohorts: columns of its dataset, several joined by ``*``; empty: every column with classes
    far: FMR of all impostor pairs that the threshold does not exceed
    seed: of the simulated critical value
    """

    name: Literal["differentials"] = "differentials"
    protocol: str | None = None
    cohorts: tuple[str, ...] = ()
    far: float = Field(default=0.01, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)


class Kind(PairsKind):
    def reads_also(self, graph: Graph, settings: DifferentialsConfig, protocol: ProtocolConfig) -> Mapping[str, Any]:
        """The labels of the cohorts."""
        data = graph.facts.dataset(protocol)
        known, classes = graph.facts.labels(data), graph.facts.label_classes(data)
        names = sorted({name for cohort in settings.cohorts for name in parts(cohort)})
        names = names or [name for name in sorted(known) if classes[name] is not None]
        check_columns(names, classes, f"stage {settings.title}", f"the dataset of protocol {protocol.title}")
        return {"labels": {name: known[name] for name in names}}

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        about: list[Measure] = []
        for rate, word in RATES.items():
            about += [
                Measure(f"{rate}_p:{name}", f"p of equal {word}, {name}", percent=False, digits=3, range=SHARE)
                for name in keys_in(found, f"{rate}_p")
            ]
            about += [
                Measure(f"{rate}:{name}", f"{word}, {name}", lower_is_better=True, headline=False)
                for name in keys_in(found, rate)
            ]
        return about

    def pictures(self, stage: Finished, faces: bool) -> Sequence[str]:
        """The figure shows no faces."""
        return (PICTURE,)


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``cohorts.png``, ``cohorts.csv`` and ``result.json``."""
    import pyarrow.parquet as pq

    from modules.metrics.cohorts import cohort_rates
    from modules.metrics.roc import Curve
    from modules.metrics.validation import at_least

    settings: DifferentialsConfig = config["settings"]
    protocol: ProtocolConfig = config["protocol"]
    data = context.resolver.dataset(protocol)
    manifest = context.resolver.manifest(data)
    columns = data.columns(manifest)
    place = {key: row for row, key in enumerate(manifest.keys)}
    scores = pq.read_table(context.ledger.path(context.inputs[EVALUATE], "scores.parquet"))
    left, right = (np.array([place[key] for key in scores[side].to_pylist()], np.int64) for side in ("left", "right"))
    same, score = scores["same"].to_numpy(), scores["score"].to_numpy()
    curve = Curve.of(score, same)
    if settings.far < 1 / curve.impostor:
        raise ValueError(
            f"stage {settings.title}: far {settings.far:g} cannot be set with {curve.impostor} impostor pairs; "
            f"1/{curve.impostor} = {at_least(1 / curve.impostor)} is the smallest"
        )
    _, threshold, found_far = curve.val(settings.far)
    who = np.asarray(manifest.identities)
    wrong = np.where(same, score < threshold, score >= threshold)
    cohorts = settings.cohorts or tuple(name for name, column in columns.items() if column.classes is not None)
    rates: dict[str, dict[str, list[CohortRate]]] = {}
    for cohort in cohorts:
        index, names = combined(columns, cohort)
        inside = np.where(index[left] == index[right], index[left], -1)
        rates[cohort] = {}
        for rate in RATES:
            chosen = same == (rate == "fnmr")
            pairs = wrong[chosen], who[left[chosen]], who[right[chosen]], inside[chosen]
            rates[cohort][rate] = cohort_rates(*pairs, names, seed=settings.seed)
    path = context.attempt.path
    (path / TABLE).write_text(_csv(rates), encoding="utf-8")
    (path / PICTURE).write_bytes(figure(rates, threshold, found_far))
    write_json(path / RESULT, _result(rates, threshold, found_far))
    known = sum(one.pairs for by_rate in rates.values() for one in by_rate["fmr"])
    return Result({"threshold": threshold, "far": found_far, "pairs_within_cohorts": known}, (TABLE, PICTURE, RESULT))


def _result(rates: Mapping[str, Mapping[str, Sequence[CohortRate]]], threshold: float, far: float) -> dict[str, Any]:
    """Entries ``fmr:<cohort>: <class>``, ``fmr_p:<cohort>`` (the smallest adjusted p value), and the same for ``fnmr``."""
    found: dict[str, Any] = {"threshold": {"value": threshold}, "far": {"value": far}}
    for rate in RATES:
        found[rate] = {
            f"{cohort} {one.cohort}": {"value": one.value, "low": one.low, "high": one.high, "n": one.pairs}
            for cohort, by_rate in rates.items()
            for one in by_rate[rate]
        }
        found[f"{rate}_p"] = {
            cohort: {"value": min(one.p for one in by_rate[rate])}
            for cohort, by_rate in rates.items()
            if len(by_rate[rate]) > 1
        }
    return found


def _csv(rates: Mapping[str, Mapping[str, Sequence[CohortRate]]]) -> str:
    """A line per cohort and rate; numbers that are not defined, such as the p of a single cohort, are empty."""
    from modules.metrics.cohorts import CohortRate

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["cohorts", "rate", *(field.name for field in dataclasses.fields(CohortRate))])
    for cohort, by_rate in rates.items():
        for rate, found in by_rate.items():
            for one in found:
                numbers = ("" if value != value else value for value in dataclasses.astuple(one))
                writer.writerow([cohort, RATES[rate], *numbers])
    return out.getvalue()


def figure(rates: Mapping[str, Mapping[str, Sequence[CohortRate]]], threshold: float, far: float) -> bytes:
    """PNG: for each cohort both rates with their intervals; a line at the rate of all cohorts of that grouping together."""
    from matplotlib.figure import Figure

    count = sum(max(len(found) for found in by_rate.values()) for by_rate in rates.values())
    drawing = Figure(figsize=(9, 1.6 + 0.34 * (count + len(rates))), layout="constrained")
    axes = drawing.subplots(len(rates), len(RATES), squeeze=False, height_ratios=[
        1 + max(len(found) for found in by_rate.values()) for by_rate in rates.values()
    ])  # fmt: skip
    for row, (cohort, by_rate) in zip(axes, rates.items(), strict=True):
        for panel, (rate, found) in zip(row, by_rate.items(), strict=True):
            places = np.arange(len(found))[::-1]
            values = np.array([100 * one.value for one in found])
            errors = 100 * np.array([[one.value - one.low, one.high - one.value] for one in found]).reshape(-1, 2).T
            colors = ["#b3261e" if one.p < 0.05 else "#3b5bdb" for one in found]
            for place, value, error, color in zip(places, values, errors.T, colors, strict=True):
                panel.errorbar(value, place, xerr=error[:, None], fmt="o", color=color, capsize=3, markersize=5)
            pairs = sum(one.pairs for one in found)
            if pairs:
                panel.axvline(100 * sum(one.errors for one in found) / pairs, color="#888", linewidth=1, linestyle="--")
            panel.set_yticks(places, [f"{one.cohort} ({one.subjects})" for one in found], fontsize=8)
            panel.set_ylim(-0.7, max(len(found) - 0.3, 0.7))
            panel.set_xlim(left=0)
            panel.set_title(f"{cohort}: {RATES[rate]}", fontsize=9, loc="left")
            panel.set_xlabel("%", fontsize=8)
            panel.tick_params(axis="x", labelsize=8)
            for side in ("top", "right"):
                panel.spines[side].set_visible(False)
    title = f"Error rates of cohorts (number of subjects) at threshold {threshold:.3f}, FMR of all pairs {100 * far:.2g} %"
    legend = "95 % intervals; red: differs from all cohorts together (dashed), p < 0.05"
    drawing.suptitle(f"{title}\n{legend}", fontsize=8.5, x=0.01, ha="left")
    return figure_png(drawing, dpi=130)
