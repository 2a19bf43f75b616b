"""AdaFace against its equations written out."""

import math

import pytest
import torch
from losses_written_out import built, check, cross_entropy, example

from modules.losses.adaface import AdaFaceConfig


def written_out(config, labels, mean, deviation):
    def target(image, cos, x):
        norm = min(max(float(x.detach().norm()), 0.001), 100)
        quality = max(-1.0, min(1.0, config.concentration * (norm - mean) / (deviation + 1e-3)))
        angle = torch.clamp(torch.arccos(cos) - config.margin * quality, 1e-3, math.pi - 1e-3)
        return torch.cos(angle) - (config.margin * quality + config.margin)

    return lambda x, w: cross_entropy(x, w, labels, config.scale, target)


@pytest.mark.parametrize(("margin", "scale"), [(0.4, 64.0), (0.4, 8.0), (1.2, 4.0)])
def test_value_and_gradients_equal_the_equations(margin, scale):
    config = AdaFaceConfig(margin=margin, scale=scale)
    embeddings, weight, labels = example()
    loss = built(config, weight).eval()
    loss.mean.fill_(25.0)
    loss.deviation.fill_(4.0)  # so that some images are clipped at each end
    quality = loss.quality(embeddings)
    assert quality.min() == -1
    assert quality.max() == 1
    check(loss, written_out(config, labels, 25.0, 4.0), embeddings, weight, labels)


def test_the_averages_move_by_the_momentum_in_training_only():
    embeddings, weight, labels = example()
    loss = built(AdaFaceConfig(momentum=0.1), weight)
    norms = embeddings.norm(dim=1)
    loss(embeddings, labels)
    assert loss.mean.item() == pytest.approx(0.9 * 20 + 0.1 * norms.mean().item(), rel=1e-6)
    assert loss.deviation.item() == pytest.approx(0.9 * 100 + 0.1 * norms.std().item(), rel=1e-6)
    before = loss.mean.clone()
    loss.eval()(embeddings, labels)
    assert torch.equal(loss.mean, before)


def test_a_longer_embedding_gets_a_larger_margin_away_from_its_center_and_a_smaller_one_close_by():
    """At theta = 1.4 and 0.2 with q = 1 and q = -1: the paper's Fig. 3."""
    _, weight, _ = example()
    loss = built(AdaFaceConfig(), weight).eval()
    loss.mean.fill_(20.0)
    loss.deviation.fill_(1.0)
    long, short = torch.tensor([[40.0, 0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0, 0]])
    for theta in (0.2, 1.4):
        cosine = torch.tensor([[math.cos(theta)]])
        assert loss.target(cosine, long).item() == pytest.approx(math.cos(max(theta - 0.4, 1e-3)) - 0.8, abs=1e-6)
        assert loss.target(cosine, short).item() == pytest.approx(math.cos(theta + 0.4), abs=1e-6)
