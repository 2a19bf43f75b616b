"""MV-Softmax against its equations written out."""

import pytest
import torch
from losses_written_out import arc, built, check, cosine, example

from modules.losses.mv_softmax import MVSoftmaxConfig


@pytest.mark.parametrize("form", ["arc", "am"])
@pytest.mark.parametrize("weighting", ["adaptive", "fixed"])
@pytest.mark.parametrize("t", [0.0, 0.2, 1.0])
def test_value_and_gradients_equal_the_equations(form, weighting, t):
    config = MVSoftmaxConfig(form=form, weighting=weighting, t=t, margin=0.4, scale=16)
    embeddings, weight, labels = example()

    def written(embeddings, weight):
        """-log(e^(s f) / (e^(s f) + sum h e^(s c))), with the weights h of Eqs. 7 and 8."""
        total = torch.zeros((), dtype=torch.float64)
        for x, label in zip(embeddings, labels.tolist(), strict=True):
            cosines = [cosine(x, w) for w in weight]
            f = arc(cosines[label], 0.4) if form == "arc" else cosines[label] - 0.4
            others = torch.zeros((), dtype=torch.float64)
            for number, c in enumerate(cosines):
                if number != label:
                    power = 16 * t * (c + 1) if weighting == "adaptive" else torch.tensor(16.0 * t)
                    h = torch.exp(power) if c.item() > f.item() else 1.0
                    others = others + h * torch.exp(16 * c)
            total = total - torch.log(torch.exp(16 * f) / (torch.exp(16 * f) + others))
        return total / len(embeddings)

    check(built(config, weight), written, embeddings, weight, labels)


def test_without_weights_it_is_arcface():
    from modules.losses.arcface import ArcFaceConfig

    embeddings, weight, labels = example()
    value = built(MVSoftmaxConfig(t=0, scale=64), weight)(embeddings, labels).item()
    assert value == pytest.approx(built(ArcFaceConfig(), weight)(embeddings, labels).item(), rel=1e-12)
