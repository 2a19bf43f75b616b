"""Attribute metrics by cohort, of an evaluation of invented predictions, against each subset."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_score

from configs.lookup import resolve
from datamodules.columns import Column
from datamodules.evaluation_sets.labeled_images import LabeledImages
from datamodules.manifest import Manifest
from grid.evaluation.attributes import Task, evaluate
from grid.evaluation.evaluator import Embedded, EvaluationResult, Predicted
from grid.spec.measure import entry_of, metric_name
from grid.spec.stage_kind import stage_kind
from grid.spec.training import Target

COUNT, CLASSES = 200, ("young", "old")
SETTINGS = {"name": "attributes", "data": "drawn", "bins": 5, "resamples": 100, "cohorts": ["race", "race*gender"]}


def columns() -> dict[str, Column]:
    """The age of every tenth image is unknown, and the race of every eighth; a single image has race C."""
    rows = range(COUNT)
    generator = np.random.default_rng(1)
    age = [None if row % 10 == 0 else CLASSES[int(generator.integers(2))] for row in rows]
    race = [None if row % 8 == 0 else "C" if row == 1 else "A: x" if row % 3 else "B" for row in rows]
    return {
        "age": Column.categorical(age),
        "race": Column.categorical(race),
        "gender": Column.categorical(["F" if row % 2 else "M" for row in rows]),
        "years": Column.number([float(row % 60) for row in rows], "years"),
    }


def evaluated(folder: Path, cohorts: list[str] | None = None, drop: tuple[int, ...] = ()) -> EvaluationResult:
    keys = tuple(f"{row:03d}.jpg" for row in range(COUNT))
    manifest = Manifest(keys, keys, (64,) * COUNT, (64,) * COUNT, tuple(f"{row:064x}" for row in range(COUNT)))
    kept = np.array([row for row in range(COUNT) if row not in drop])
    generator = np.random.default_rng(0)
    probabilities, years = generator.dirichlet([1.0, 1.0], COUNT), np.arange(COUNT) % 60 + generator.normal(0, 6, COUNT)
    found = {"age": Predicted(Target(), probabilities[kept], CLASSES, (50, 7)), "years": Predicted(Target(), years[kept])}
    protocol: Any = resolve("protocol", SETTINGS if cohorts is None else {**SETTINGS, "cohorts": cohorts})
    asked = LabeledImages(np.arange(COUNT), columns(), None)
    return evaluate(asked, Embedded(manifest, kept, np.zeros((len(kept), 0)), folder, found), protocol)


def labels(name: str) -> np.ndarray:
    column = columns()[name]
    assert column.classes is not None
    found: np.ndarray = np.array([*column.classes, None], object)[column.values]
    return found


def test_each_cohort_has_the_metrics_of_its_images_whose_target_is_known(tmp_path: Path) -> None:
    found = evaluated(tmp_path, drop=(5, 6)).metrics["targets"]["age"]
    truth, race, gender = labels("age"), labels("race"), labels("gender")
    predicted = np.array(CLASSES)[np.random.default_rng(0).dirichlet([1.0, 1.0], COUNT).argmax(1)]
    there = (truth != None) & ~np.isin(np.arange(COUNT), (5, 6))  # noqa: E711
    both = found["cohorts"]["race*gender"]["metrics"]["accuracy"]["cohorts"]
    assert set(both) == {"A  x x F", "A  x x M", "B x F", "B x M"}
    mine = there & (race == "B") & (gender == "M")
    assert both["B x M"]["value"] == pytest.approx((truth == predicted)[mine].mean())
    assert both["B x M"]["n"] == mine.sum()
    precision = found["cohorts"]["race"]["per_class"]["old"]["precision"]["cohorts"]["B"]["value"]
    mine = there & (race == "B")
    assert precision == pytest.approx(precision_score(truth[mine].tolist(), predicted[mine].tolist(), pos_label="old"))
    values = [one["value"] for one in found["cohorts"]["race"]["metrics"]["accuracy"]["cohorts"].values()]
    assert found["accuracy_gap"]["race"]["value"] == pytest.approx(max(values) - min(values))
    assert found["per_class"]["old"]["recall_gap"]["race"]["low"] >= 0


def test_images_without_a_cohort_and_cohorts_of_one_image_are_counted(tmp_path: Path) -> None:
    one = evaluated(tmp_path).metrics["targets"]["age"]["cohorts"]["race"]
    known = labels("age") != None  # noqa: E711
    assert one["unknown"] == (known & (labels("race") == None)).sum() > 0  # noqa: E711
    assert one["left_out"] == {"C": 1}
    assert sum(one["images"].values()) + one["unknown"] + 1 == known.sum()


def test_the_table_has_a_line_per_cohort_and_metric_and_one_for_each_gap(tmp_path: Path) -> None:
    found = evaluated(tmp_path)
    assert "attribute_cohorts.csv" in found.outputs
    with open(tmp_path / "attribute_cohorts.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    chosen = [one for one in lines if (one["target"], one["metric"], one["cohorts"]) == ("years", "mae", "race")]
    assert [one["cohort"] for one in chosen] == ["A  x", "B", ""]
    entry = found.metrics["targets"]["years"]["mae_gap"]["race"]
    assert [float(chosen[2][key]) for key in ("value", "low", "high", "p")] == [
        entry[key] for key in ("value", "low", "high", "p")
    ]
    against = found.metrics["targets"]["years"]["cohorts"]["race"]["metrics"]["mae"]["differences"]["B"]
    assert float(chosen[1]["difference"]) == against["value"]
    assert {one["metric"] for one in lines if one["class"] == "old"} == {"precision", "recall", "f1"}


def test_gaps_are_columns_and_are_logged(tmp_path: Path) -> None:
    metrics = evaluated(tmp_path).metrics
    measures = [one for one in Task("attributes").measures([metrics]) if "gap" in one.key]
    assert [one.title for one in measures] == [
        "age: accuracy gap, race",
        "age: accuracy gap, race*gender",
        "age: balanced accuracy gap, race",
        "age: balanced accuracy gap, race*gender",
        "years: MAE gap, race [years]",
        "years: MAE gap, race*gender [years]",
    ]
    assert all((entry_of(metrics, one.key) or {}).get("value") is not None for one in measures)
    assert all(one.lower_is_better and not one.headline for one in measures)
    assert metric_name(measures[0].key) == "age accuracy_gap race"
    assert [one.percent for one in measures] == [True] * 4 + [False] * 2


def test_the_table_is_an_artifact_of_the_run() -> None:
    from types import SimpleNamespace

    kind: Any = stage_kind("evaluate")
    stage: Any = SimpleNamespace(label=SimpleNamespace(about="utk"), outputs=("attribute_cohorts.csv",))
    assert kind.artifacts(stage)["attribute_cohorts.csv"] == ("metrics", "utk cohorts.csv")


def test_without_cohorts_nothing_changes(tmp_path: Path) -> None:
    found = evaluated(tmp_path, cohorts=[])
    assert found.outputs == ("attributes.csv", "predictions.parquet")
    assert not any("cohorts" in one or "accuracy_gap" in one for one in found.metrics["targets"].values())
