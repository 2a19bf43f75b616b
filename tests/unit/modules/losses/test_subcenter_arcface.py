"""Sub-center ArcFace against its equations written out."""

import pytest
import torch
from losses_written_out import arc, built, check, cosine, example

from modules.losses.arcface import ArcFaceConfig
from modules.losses.subcenter_arcface import SubcenterArcFaceConfig


@pytest.mark.parametrize("centers", [1, 2, 3])
def test_value_and_gradients_equal_the_equations(centers):
    config = SubcenterArcFaceConfig(centers=centers, scale=16)
    embeddings, weight, labels = example(classes=6)
    classes = 6 // centers
    labels = labels % classes

    def written(embeddings, weight):
        total = torch.zeros((), dtype=torch.float64)
        for x, label in zip(embeddings, labels.tolist(), strict=True):
            best = [max((cosine(x, weight[n * centers + k]) for k in range(centers)), key=float) for n in range(classes)]
            logits = [16 * (arc(cos, 0.5) if n == label else cos) for n, cos in enumerate(best)]
            total = total + torch.logsumexp(torch.stack(logits), 0) - logits[label]
        return total / len(embeddings)

    check(built(config, weight, classes), written, embeddings, weight, labels)


def test_one_center_is_arcface_and_logits_have_a_column_per_class():
    embeddings, weight, labels = example(classes=6)
    one = built(SubcenterArcFaceConfig(centers=1), weight)
    assert one(embeddings, labels).item() == pytest.approx(built(ArcFaceConfig(), weight)(embeddings, labels).item(), rel=1e-12)
    three = built(SubcenterArcFaceConfig(centers=3), weight, 2)
    assert three.logits(embeddings).shape == (12, 2)
