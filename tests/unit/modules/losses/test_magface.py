"""MagFace against its equations written out."""

import pytest
from losses_written_out import arc, built, check, cross_entropy, example
from pydantic import ValidationError

from modules.losses.magface import MagFaceConfig


def written_out(config, labels):
    def norm(x):
        return x.norm().clamp(config.lowest_norm, config.highest_norm)

    def margin(x):
        share = (norm(x) - config.lowest_norm) / (config.highest_norm - config.lowest_norm)
        return config.lowest_margin + share * (config.highest_margin - config.lowest_margin)

    def loss(x, w):
        penalty = sum(1 / norm(one) + norm(one) / config.highest_norm**2 for one in x) / len(x)
        found = cross_entropy(x, w, labels, config.scale, lambda image, cos, one: arc(cos, margin(one)))
        return found + config.penalty * penalty

    return loss


@pytest.mark.parametrize("fields", [{}, {"scale": 8.0}, {"penalty": 0.0}, {"lowest_norm": 20.0, "highest_norm": 30.0}])
def test_value_and_gradients_equal_the_equations(fields):
    config = MagFaceConfig(**fields)
    embeddings, weight, labels = example()
    norms = embeddings.norm(dim=1)
    assert norms.min() < 10 < 30 < norms.max()  # some are clipped
    check(built(config, weight), written_out(config, labels), embeddings, weight, labels)


def test_the_penalty_falls_with_the_norm_up_to_the_highest_one():
    embeddings, weight, _ = example()
    loss = built(MagFaceConfig(), weight)
    values = [loss.penalty(length * embeddings[:1] / embeddings[:1].norm()).item() for length in (1, 10, 50, 110, 500)]
    assert values[0] == values[1] > values[2] > values[3] == values[4]


def test_ends_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="lowest_norm must be below highest_norm"):
        MagFaceConfig(lowest_norm=110, highest_norm=10)


def test_one_margin_for_all_norms_is_arcface():
    from modules.losses.arcface import ArcFaceConfig

    embeddings, weight, labels = example()
    same = built(MagFaceConfig(lowest_margin=0.5, highest_margin=0.5, penalty=0), weight)(embeddings, labels)
    assert same.item() == pytest.approx(built(ArcFaceConfig(), weight)(embeddings, labels).item(), rel=1e-12)
