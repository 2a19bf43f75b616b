"""Attribute metrics of invented predictions against scikit-learn and numpy, and what is counted."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import classification_report

from configs.lookup import resolve
from datamodules.columns import Column
from datamodules.evaluation_sets.labeled_images import LabeledImages
from datamodules.manifest import Manifest
from grid.evaluation.attributes import Task, evaluate, rows
from grid.evaluation.evaluator import Embedded, Predicted
from grid.spec.measure import entry_of, metric_name
from grid.spec.training import Target

COUNT, CLASSES = 60, ("young", "middle", "old")
PROTOCOL = resolve("protocol", {"name": "attributes", "data": "drawn", "bins": 5, "resamples": 100})


def asked(subjects: np.ndarray | None = None) -> LabeledImages:
    """Image n has the class n % 3 in the protocol's order, and is n years old; of every tenth nothing is known."""
    unknown = np.arange(COUNT) % 10 == 0
    age = np.where(unknown, -1, np.arange(COUNT) % 3)
    years = np.where(unknown, np.nan, np.arange(COUNT, dtype=float))
    columns = {"age": Column(age, ("old", "young", "middle"), ordered=True), "years": Column(years, None, "years")}
    return LabeledImages(np.arange(COUNT), columns, subjects)


def seen_of(folder: Path, drop: tuple[int, ...] = (), **changes: Any) -> Embedded:
    keys = tuple(f"{row:03d}.jpg" for row in range(COUNT))
    manifest = Manifest(keys, keys, (64,) * COUNT, (64,) * COUNT, tuple(f"{row:064x}" for row in range(COUNT)))
    kept = np.array([row for row in range(COUNT) if row not in drop])
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1.0, 1.0, 1.0], COUNT)
    years = np.arange(COUNT) + generator.normal(0, 6, COUNT)
    found = {
        "age": Predicted(Target(), probabilities[kept], CLASSES, (50, 0, 7)),
        "years": Predicted(Target(), years[kept]),
    }
    return Embedded(manifest, kept, np.zeros((len(kept), 0)), folder, found | changes)


def test_classes_are_matched_by_name_and_values_are_scikit_learns(tmp_path: Path) -> None:
    metrics = evaluate(asked(), seen_of(tmp_path), PROTOCOL).metrics["targets"]["age"]
    probabilities = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], COUNT)
    known = np.arange(COUNT) % 10 != 0
    truth = np.array(["old", "young", "middle"])[np.arange(COUNT) % 3][known]
    predicted = np.array(CLASSES)[probabilities.argmax(1)][known]
    report = classification_report(truth, predicted, output_dict=True)
    for name in CLASSES:
        one = metrics["per_class"][name]
        assert one["recall"]["value"] == pytest.approx(report[name]["recall"])
        assert one["precision"]["value"] == pytest.approx(report[name]["precision"])
        assert one["f1"]["value"] == pytest.approx(report[name]["f1-score"])
        assert one["support"] == report[name]["support"]
    assert metrics["accuracy"]["value"] == pytest.approx(report["accuracy"])
    assert list(metrics["per_class"]) == list(CLASSES)
    near = np.abs(np.array([CLASSES.index(one) for one in truth]) - probabilities.argmax(1)[known]) <= 1
    assert metrics["off_by_one"]["value"] == pytest.approx(near.mean())
    assert sum(one["n"] for one in metrics["reliability"]) == known.sum()


def test_unknown_labels_and_absent_classes_are_counted(tmp_path: Path) -> None:
    found = evaluate(asked(), seen_of(tmp_path, drop=(0, 1)), PROTOCOL)
    age = found.metrics["targets"]["age"]
    assert (age["images"], age["unknown"]) == (53, 5)  # of 58 images with a face, image 0 is one of six unknown ones
    assert (found.facts["images"], found.facts["dropped_images"]) == (58, 2)
    assert age["absent_from_training"] == ["middle"]
    assert [one["trained"] for one in age["per_class"].values()] == [50, 0, 7]


def test_numbers_have_an_error_in_their_unit(tmp_path: Path) -> None:
    found = evaluate(asked(), seen_of(tmp_path), PROTOCOL).metrics["targets"]["years"]
    generator = np.random.default_rng(0)
    generator.dirichlet([1.0, 1.0, 1.0], COUNT)
    error = np.abs(generator.normal(0, 6, COUNT))[np.arange(COUNT) % 10 != 0]
    assert found["mae"]["value"] == pytest.approx(error.mean())
    assert found["cumulative_score"]["value"] == pytest.approx((error <= 5).mean())
    assert (found["unit"], found["cumulative_score"]["tolerance"]) == ("years", 5)


def test_subjects_are_resampled_where_they_are_known(tmp_path: Path) -> None:
    alone = evaluate(asked(), seen_of(tmp_path), PROTOCOL).metrics["targets"]["age"]["accuracy"]
    whole = evaluate(asked(np.arange(COUNT) // 20), seen_of(tmp_path), PROTOCOL).metrics["targets"]["age"]["accuracy"]
    assert (alone["method"], whole["method"]) == ("Wilson", "subject bootstrap")
    assert whole["value"] == alone["value"]
    assert whole["high"] - whole["low"] > alone["high"] - alone["low"]


def test_every_number_is_in_the_table_and_every_image_in_the_predictions(tmp_path: Path) -> None:
    found = evaluate(asked(), seen_of(tmp_path, drop=(3,)), PROTOCOL)
    assert set(found.outputs) == {"attributes.csv", "predictions.parquet"}
    with open(tmp_path / "attributes.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    recall = next(one for one in lines if (one["class"], one["metric"]) == ("old", "recall"))
    entry = found.metrics["targets"]["age"]["per_class"]["old"]["recall"]
    assert (float(recall["value"]), float(recall["low"]), float(recall["high"])) == (
        entry["value"],
        entry["low"],
        entry["high"],
    )
    assert {one["metric"] for one in lines if one["target"] == "years"} == {"mae", "cumulative_score"}
    table = pq.read_table(tmp_path / "predictions.parquet").to_pydict()
    assert table["key"][2:4] == ["002.jpg", "004.jpg"]
    assert (table["age true"][0], table["age true"][1]) == (None, "young")
    assert np.add(np.add(table["age p(young)"], table["age p(middle)"]), table["age p(old)"]) == pytest.approx(1)


def test_measures_are_found_in_the_metrics_and_named_after_their_targets(tmp_path: Path) -> None:
    metrics = evaluate(asked(), seen_of(tmp_path), PROTOCOL).metrics
    measures = Task("attributes").measures([metrics])
    assert [one.title for one in measures if one.headline] == ["age: accuracy", "age: balanced accuracy", "years: MAE [years]"]
    assert all((entry_of(metrics, one.key) or {}).get("value") is not None for one in measures)
    assert [metric_name(one.key) for one in measures][:2] == ["age accuracy", "age balanced_accuracy"]
    assert {one.title for one in measures if one.lower_is_better} == {"years: MAE [years]"}


def test_a_target_whose_labels_were_all_lost_is_named(tmp_path: Path) -> None:
    lost = LabeledImages(np.arange(2), {"years": Column.number([3, None], "years")}, None)
    seen = Embedded(
        seen_of(tmp_path).manifest, np.array([1]), np.zeros((1, 0)), tmp_path, {"years": Predicted(Target(), np.ones(1))}
    )
    with pytest.raises(ValueError, match="no image with a usable face has a known value of target years"):
        evaluate(lost, seen, PROTOCOL)


def test_images_that_were_trained_on_can_be_left_out() -> None:
    manifest_rows = np.array([4, 7, 9])
    part = LabeledImages(np.array([0, 2]), {"years": Column.number([1, 2])}, None)
    found = Task("attributes").placed(part, manifest_rows)
    assert rows(found).tolist() == [4, 9]
    assert found.digest != part.digest
