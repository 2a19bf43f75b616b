"""Probabilities of targets: equal to the network's own logits, and with channels set to zero before the head."""

from typing import Any

import numpy as np
import pytest
import torch

from grid.execution.job import RunOptions, begin
from grid.spec.cell import Cell
from grid.stages.class_scores import feature_maps, probabilities, true_classes
from grid.stages.context import faces_of
from grid.stages.explain import tensors
from grid.stages.train import load_network


@pytest.fixture(scope="module")
def loaded(studied_cell: Any) -> Any:
    begun = begin(studied_cell.jobs["background"])
    training = begun.configs["training"]  # type: ignore[union-attr]
    context = begun.context(RunOptions())  # type: ignore[union-attr]
    faces = faces_of(context, training.data, training.detector, training.input.pixels)  # type: ignore[attr-defined]
    network = load_network(context, training, context.inputs["train"].facts["classes"])  # type: ignore[arg-type]
    return faces, training, network


def test_each_target_has_the_probabilities_of_its_own_logits(loaded: Any) -> None:
    faces, _, network = loaded
    crops = np.stack([faces.crops[row] for row in range(5)])
    features = feature_maps(network, crops, "cpu")
    found = probabilities(network, features, ("gender", "identity"), "cpu")
    assert {name: one.shape for name, one in found.items()} == {"gender": (5, 2), "identity": (5, 12)}
    with torch.no_grad():
        own = network(tensors(crops, "cpu")).double().softmax(1).numpy()  # of the primary target, identity
        gender = network.loss.of("gender").logits(network.embed(tensors(crops, "cpu"))).double().softmax(1).numpy()
    np.testing.assert_allclose(found["identity"], own, atol=1e-6)
    np.testing.assert_allclose(found["gender"], gender, atol=1e-6)


def test_channels_are_zero_before_the_head(loaded: Any) -> None:
    faces, _, network = loaded
    features = feature_maps(network, np.stack([faces.crops[row] for row in range(3)]), "cpu")
    keep = np.arange(features.shape[1]) % 2 == 0
    zeroed = features.clone()
    zeroed[:, 1::2] = 0
    found = probabilities(network, features, ("gender",), "cpu", keep)["gender"]
    np.testing.assert_allclose(found, probabilities(network, zeroed, ("gender",), "cpu")["gender"])
    assert not np.allclose(found, probabilities(network, features, ("gender",), "cpu")["gender"])


def test_the_true_classes_are_those_of_subject_and_column(loaded: Any) -> None:
    faces, training, network = loaded
    found = true_classes(faces, training, network)
    names = sorted(set(faces.identities))
    assert [names[one] for one in found["identity"]] == list(faces.identities)
    assert found["gender"].tolist() == training.data.columns(faces.manifest)["gender"].values.tolist()


def test_a_network_that_classifies_nothing_is_refused(loaded: Any) -> None:
    faces, _, _ = loaded
    cell = Cell.model_validate({"data": {"name": "drawn", "size": 64, "subjects": 12, "shots": 4}, "backbone": "alexnet"})

    class Silent:
        loss, classifies = None, False

    with pytest.raises(ValueError, match="the network classifies nothing"):
        true_classes(faces, cell.training(), Silent())  # type: ignore[arg-type]
