"""The export of a trained network: weights, ONNX, threshold, origin."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_export import DRAWN

from configs.lookup import resolve
from grid.export.embedder import network_of
from grid.export.export import export
from grid.export.package import RECORD
from grid.export.threshold import scored_subjects, threshold_of
from grid.judge.networks import _own
from grid.ledger.study import Study
from grid.results.model_loader import find
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EVALUATE, StageName
from grid.spec.training import Target
from modules.metrics.held_out_threshold import held_out_threshold


def test_onnx_and_the_loaded_weights_give_the_embeddings_of_the_trained_network(package: Any) -> None:
    import onnxruntime

    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        ours = network_of(package)(images).numpy()
    session = onnxruntime.InferenceSession(str(package.folder / "model.onnx"))
    theirs = session.run(None, {"images": images.numpy()})[0]
    np.testing.assert_allclose(theirs, ours, atol=1e-5 * np.abs(ours).max())
    before = load_file(package.folder.parent / "random.safetensors")
    after = load_file(package.weights)
    assert set(after) == {name for name in before if name.startswith(("backbone.", "head."))}
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_the_threshold_is_that_of_the_scores_of_the_study(package: Any) -> None:
    study = Study(package.folder.parent / "study")
    protocol: Any = resolve("protocol", DRAWN)
    marker = study.cells[0].markers[StageName(EVALUATE, "drawn")]
    left, right, same, scores = scored_subjects(study.ledger, marker, protocol)
    expected = held_out_threshold(scores, same, left, right, 0.1)
    assert package.record["threshold"] == {**json.loads(json.dumps(expected)), "protocol": "drawn"}
    assert package.record["embedding"]["flip_test"] is True


def test_the_record_says_where_the_network_comes_from(package: Any) -> None:
    record = json.loads((package.folder / RECORD).read_text())
    assert record["lineage"]["training_data"] is None  # nothing was trained
    assert record["lineage"]["initial_weights"]["content"]
    assert any("initial weights: checkpoint" in one["what"] for one in record["licenses"])
    assert record["onnx"]["largest_difference"] <= record["onnx"]["tolerance"] == 1e-5


def test_of_several_targets_the_embedding_of_the_primary_one_is_exported(package: Any, tmp_path: Path) -> None:
    trained = find(package.folder.parent / "study", {})
    head = trained.training.head
    targets = {"age": Target(head=head), "gender": Target()}
    training = trained.training.model_copy(update={"head": resolve("head", "gap_bn"), "targets": targets})
    found = export(replace(trained, training=training), tmp_path / "a", 0.1, None)
    assert found.record["targets"] == {"embedding": "age", "left_out": ["age", "gender"]}
    assert found.head == head
    assert _own(training, trained.path)["head"] == head.model_dump(mode="json")  # so does judge
    assert package.record["targets"] is None


def test_an_existing_folder_an_unknown_protocol_and_an_impossible_rate_are_refused(package: Any, tmp_path: Path) -> None:
    trained = find(package.folder.parent / "study", {})
    with pytest.raises(BadInput, match="exists already"):
        export(trained, package.folder, 0.1, None)
    with pytest.raises(BadInput, match=r"no finished protocol of that title .*known: drawn"):
        export(trained, tmp_path / "a", 0.1, "lfw")
    with pytest.raises(BadInput, match=r"protocol drawn: .* cannot show a false match rate of 1e-06"):
        export(trained, tmp_path / "a", 1e-6, None)
    assert not list(tmp_path.iterdir())


def test_without_a_study_there_is_no_threshold_and_the_reason_is_kept(package: Any) -> None:
    study = Study(package.folder.parent / "study")
    (weights,) = (study.path / "store" / "train").glob("*/*/model.safetensors")
    trained = find(weights, {})
    assert trained.cell is not None  # the study beside the store is found
    lonely = type(trained)(trained.path, trained.ledger, trained.marker, trained.training, None, None)
    assert threshold_of(lonely, 0.1, None) == {"threshold": None, "reason": "no study is known", "flip_test": False}
