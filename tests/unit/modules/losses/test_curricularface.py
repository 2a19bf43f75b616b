"""CurricularFace against its equations written out."""

import pytest
import torch
from losses_written_out import arc, built, check, cosine, cross_entropy, example

from modules.losses.curricularface import CurricularFaceConfig


@pytest.mark.parametrize(("margin", "scale", "t"), [(0.5, 64.0, 0.3), (0.5, 8.0, 0.9), (0.2, 16.0, 0.0)])
def test_value_and_gradients_equal_the_equations(margin, scale, t):
    config = CurricularFaceConfig(margin=margin, scale=scale, momentum=0.05)
    embeddings, weight, labels = example()
    loss = built(config, weight)
    loss.t.fill_(t)
    mean = sum(cosine(x, weight[label]).item() for x, label in zip(embeddings, labels.tolist(), strict=True)) / len(labels)
    now = 0.95 * t + 0.05 * mean  # the present batch counts already
    hard = []

    def other(cos, target):
        hard.append(cos.item() > target.item())
        return cos * (now + cos) if hard[-1] else cos

    def written(x, w):
        return cross_entropy(x, w, labels, scale, lambda image, cos, one: arc(cos, margin), other)

    check(loss, written, embeddings, weight, labels)
    assert any(hard)
    assert not all(hard)


def test_the_average_moves_in_training_only():
    embeddings, weight, labels = example()
    loss = built(CurricularFaceConfig(), weight)
    loss(embeddings, labels)
    assert loss.t.item() != 0
    before = loss.t.clone()
    loss.eval()(embeddings, labels)
    assert torch.equal(loss.t, before)


def test_a_batch_without_images_leaves_the_average_as_it_is():
    embeddings, weight, labels = example()
    loss = built(CurricularFaceConfig(), weight)
    loss(embeddings, labels)
    before = loss.t.clone()
    loss(embeddings[:0], labels[:0])
    assert torch.equal(loss.t, before)
