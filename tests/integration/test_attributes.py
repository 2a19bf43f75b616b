"""A launch that learns three targets and the identity together, and evaluates them on unseen subjects."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from launching import here
from sklearn.metrics import confusion_matrix
from small import write

BASE = {
    "data": {"name": "drawn", "subjects": 12, "shots": 4, "size": 64},
    "head": {"name": "dense", "dimension": 16, "hidden": []},
    "targets": {
        "gender": {"loss": {"name": "binary", "class_weights": "balanced"}},
        "years": {"column": "age_years", "loss": "regression"},
        "generation": {"column": "age_years", "edges": [0, 30, 50]},
        "identity": {},
    },
    "target_weighting": "uncertainty",
    "split": {"fraction": 0.25},
    "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 8},
}
PROTOCOL = {"name": "attributes", "data": {"name": "drawn", "first": 500, "subjects": 10, "shots": 3, "size": 64}}


def test_targets_are_learned_together_and_each_is_evaluated(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", BASE, axes={}, protocols=[PROTOCOL], explainers=[], launch={"executor": "local"})
    here(tmp_path, "launch", "mine.yaml")
    study = tmp_path / "studies/small"
    (history,) = study.glob("store/train/*/0*/history.json")
    rows = json.loads(history.read_text(encoding="utf-8"))
    assert rows[0]["log_variance_gender"] != rows[1]["log_variance_gender"]
    (found,) = study.glob("store/evaluate/*/0*/metrics.json")
    targets = json.loads(found.read_text(encoding="utf-8"))["targets"]
    assert list(targets) == ["gender", "generation", "years"]
    table = pq.read_table(found.parent / "predictions.parquet").to_pydict()
    names = list(targets["generation"]["per_class"])
    assert names == ["0-29", "30-49", "50+"]
    wanted = confusion_matrix(table["generation true"], table["generation predicted"], labels=names)
    assert targets["generation"]["confusion"] == wanted.tolist()
    error = np.abs(np.subtract(table["years true"], table["years predicted"]))
    assert targets["years"]["mae"]["value"] == pytest.approx(error.mean())
    assert targets["gender"]["accuracy"]["method"] == "subject bootstrap"
    with open(study / "report/results.csv", encoding="utf-8") as file:
        metrics = {row["metric"] for row in csv.DictReader(file)}
    assert {"targets:years:mae", "targets:gender:per_class:Male:recall", "targets:generation:off_by_one"} <= metrics
    assert "## generation on attributes" in (study / "report/attributes.md").read_text(encoding="utf-8")
    for words, error_line in (
        (["targets.gender.loss.name=regression"], "target gender is a column of classes, and loss regression is not for them"),
        (["protocols.0.targets=[wrinkles]"], "protocol attributes: the cell does not learn the target 'wrinkles'"),
        (["protocols.0.data.first=0"], "protocol attributes: 10 of its subjects are in the training set"),
    ):
        assert error_line in " ".join(here(tmp_path, "plan", "mine.yaml", *words, code=2).split())
