from pathlib import Path
from typing import Any

import pytest

from grid.results.columns import Column
from grid.spec.finished import Finished
from grid.spec.stage_kind import StageName
from grid.tracking.metrics import MOST, columns_logged, finals, metric_key

OUTPUTS = {"evaluate": ["metrics.json"], "score": ["score.json"]}


def logged(label: StageName, result: Any = None, **facts: Any) -> dict[str, float]:
    stage = Finished(label, facts, OUTPUTS.get(label.kind, []), Path, lambda name: result or {})
    return {point.key: point.value for point in finals(stage, 2.0)}


def test_a_training_logs_what_tells_runs_apart_and_losses_that_occurred() -> None:
    facts = {
        "epochs": 4,
        "kept_epoch": 3,
        "validation_loss": 0.5,
        "images": 30,
        "classes": 6,
        "missing_faces": 0,
        "network": "n",
    }
    assert logged(StageName("train"), **facts) == {"train/epochs": 4, "train/kept_epoch": 4, "train/validation_loss": 0.5}
    assert logged(StageName("train"), missing_faces=7) == {"train/missing_faces": 7}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ten_fold", "accuracy_ten_fold"), ("best_threshold", "accuracy_best_threshold"), ("val:0.001", "val_at_far_0.001"),
        ("tar:1e-06", "tar_at_far_1e-06"), ("cmc:1", "rank_1"), ("pairwise:average linkage", "pairwise_f average linkage"),
        ("bcubed:average linkage", "bcubed_f average linkage"), ("mine:a:b", "mine a b"),
    ],
)  # fmt: skip
def test_quantities_have_the_names_of_the_field(key: str, name: str) -> None:
    assert metric_key(StageName("evaluate", "view 2"), Column("view 2", key, "Title", True, 2)) == f"view 2/{name}"


def test_an_evaluation_logs_few_headline_values_without_intervals_and_counts() -> None:
    ranks = {str(rank): {"value": rank / 100, "low": 0.0, "high": 1.0} for rank in range(1, 40)}
    result = {"task": "identification", "cmc": ranks, "dir": {"0.01": {"value": 0.5, "low": 0.1}}, "probes": 1000}
    found = logged(StageName("evaluate", "search"), result, dropped_probes=0, dropped_gallery=2)
    assert found.pop("search/dropped_gallery") == 2
    assert len(found) == MOST
    assert {"search/rank_1": 0.01, "search/dir_at_far_0.01": 0.5}.items() <= found.items(), "those of the terminal first"
    assert not any("low" in key or "high" in key or "probes" in key for key in found)
    assert columns_logged(StageName("evaluate", "search")) == []


def test_an_explanation_metric_logs_a_value_per_map() -> None:
    result = {"of": "images", "count": 8, "missing": 0, "maps": {"S+": {"auc": {"value": 0.75, "low": 0.5, "high": 1.0}}}}
    name = StageName("score", "gradcam", "insertion")
    assert logged(name, result) == {"explanations/gradcam.insertion.S_plus.auc": 0.75}
    assert logged(name, result | {"missing": 3})["explanations/gradcam.insertion.missing"] == 3
    assert logged(name, {"refused": {"code": "x", "reason": "y"}}) == {}


def test_a_stage_kind_of_a_users_own_logs_its_facts() -> None:
    name = StageName("mypackage.latent", "pca")
    assert logged(name, variance=0.5, seconds=3.0, words="x", nothing=float("nan")) == {"mypackage.latent/pca/variance": 0.5}
