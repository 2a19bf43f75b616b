"""Class weights against numbers computed by hand and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from configs.lookup import resolve
from modules.layers.class_weights import class_weights


def test_inverse_frequency_by_hand() -> None:
    """1/80, 1/20 -> mean 1: 0.0125 and 0.05 have the mean 0.03125."""
    assert class_weights(torch.tensor([80, 20]), "inverse", 0.9999).tolist() == pytest.approx([0.4, 1.6])


def test_balanced_is_scikit_learns() -> None:
    labels = np.repeat([0, 1, 2], [700, 200, 100])
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert class_weights(torch.tensor([700, 200, 100]), "balanced", 0.9999).tolist() == pytest.approx(wanted.tolist())
    assert class_weights(torch.tensor([80, 20]), "balanced", 0.9999).tolist() == pytest.approx([0.625, 2.5])
    assert class_weights(torch.tensor([80, 0, 20]), "balanced", 0.9999).tolist() == pytest.approx([0.625, 0, 2.5])


def test_effective_number_by_hand() -> None:
    """beta 0.9: (1 - 0.9) / (1 - 0.9 ** 2) = 0.1 / 0.19 and 0.1 / 0.1 = 1, scaled to mean 1."""
    raw = [0.1 / 0.19, 1.0]
    wanted = [2 * one / sum(raw) for one in raw]
    assert class_weights(torch.tensor([2, 1]), "effective_number", 0.9).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("formula", ["inverse", "balanced", "effective_number"])
def test_a_class_without_images_has_weight_zero(formula: str) -> None:
    found = class_weights(torch.tensor([5, 0, 5]), formula, 0.99)
    assert found[1] == 0
    assert found[0] == found[2] > 0


@pytest.mark.parametrize("name", ["softmax", "binary"])
def test_the_divisor_is_the_weights_as_in_torch_or_the_images_as_in_keras(name: str) -> None:
    torch.manual_seed(0)
    embeddings, labels = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 0, 0, 0, 1, 1])
    settings = {"name": name, "class_weights": "balanced"}
    losses = {}
    for divisor in ("weights", "images"):
        torch.manual_seed(1)
        loss = resolve("loss", {**settings, "weight_normalization": divisor}).build(4, 2).double()
        loss.prepare(torch.tensor([90, 10]))
        losses[divisor] = loss(embeddings, labels).item()
        log = torch.log_softmax(loss.logits(embeddings), 1)
    weights = [100 / 180, 100 / 20]
    total = sum(-weights[label] * log[row, label].item() for row, label in enumerate(labels.tolist()))
    assert losses["weights"] == pytest.approx(total / (4 * weights[0] + 2 * weights[1]))
    assert losses["images"] == pytest.approx(total / 6)


def test_the_divisor_is_part_of_the_identity_only_if_it_is_another_one() -> None:
    assert "weight_normalization" not in resolve("loss", {"name": "softmax", "class_weights": "inverse"}).identity()
    other = resolve("loss", {"name": "softmax", "class_weights": "inverse", "weight_normalization": "images"})
    assert other.identity()["weight_normalization"] == "images"
