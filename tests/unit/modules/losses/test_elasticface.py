"""ElasticFace against its equations written out, for margins drawn beforehand."""

import math

import pytest
import torch
from losses_written_out import arc, built, check, cosine, cross_entropy, example

from modules.losses.elasticface import ElasticFaceConfig


@pytest.mark.parametrize("form", ["arc", "cos"])
@pytest.mark.parametrize("plus", [False, True])
def test_value_and_gradients_equal_the_equations(form, plus, monkeypatch):
    config = ElasticFaceConfig(form=form, plus=plus, deviation=0.1, scale=16)
    embeddings, weight, labels = example()
    noise = torch.randn(len(labels), 1, dtype=torch.float64)
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    margins = [min(max(0.5 + 0.1 * one, 0.0), math.pi / 2) for one in noise[:, 0].tolist()]
    if plus:  # the lowest cosine gets the largest margin
        cosines = [cosine(x, weight[label]).item() for x, label in zip(embeddings, labels.tolist(), strict=True)]
        ranked = sorted(range(len(labels)), key=lambda image: cosines[image])
        margins = dict(zip(ranked, sorted(margins, reverse=True), strict=True))

    def target(image, cos, x):
        return arc(cos, margins[image]) if form == "arc" else cos - margins[image]

    check(built(config, weight), lambda x, w: cross_entropy(x, w, labels, 16, target), embeddings, weight, labels)


def test_margins_are_drawn_anew_in_each_step_and_fixed_in_validation():
    embeddings, weight, labels = example()
    loss = built(ElasticFaceConfig(), weight)
    assert loss(embeddings, labels) != loss(embeddings, labels)
    loss.eval()
    assert torch.equal(loss(embeddings, labels), loss(embeddings, labels))
    cosines = torch.zeros(20_000, 1)
    drawn = loss.train().margins(cosines)
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.001)
    assert drawn.std().item() == pytest.approx(0.0125, abs=0.0005)


def test_no_margin_leaves_its_range():
    _, weight, _ = example()
    drawn = built(ElasticFaceConfig(margin=0.1, deviation=5), weight).margins(torch.zeros(100, 1))
    assert drawn.min() == 0
    assert drawn.max() == pytest.approx(math.pi / 2)
