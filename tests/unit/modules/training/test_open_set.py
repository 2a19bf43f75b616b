import itertools

import pytest
import torch

from modules.training import open_set
from modules.training.open_set import verified


def naive(embeddings, labels):
    """1 - AUC by counting, over all pairs of images."""
    genuine, impostor = [], []
    for i, j in itertools.combinations(range(len(labels)), 2):
        value = float(torch.nn.functional.cosine_similarity(embeddings[i], embeddings[j], dim=0))
        (genuine if labels[i] == labels[j] else impostor).append(value)
    wins = sum((one > other) + 0.5 * (one == other) for one in genuine for other in impostor)
    return 1 - wins / (len(genuine) * len(impostor))


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_one_minus_the_auc_of_all_pairs(seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings, labels = torch.randn(24, 5, generator=generator).double(), torch.randint(7, 12, (24,), generator=generator)
    embeddings += labels[:, None]
    loss, accuracy = verified(embeddings, labels)
    assert loss == pytest.approx(naive(embeddings, labels), abs=1e-12)
    assert 0 < accuracy < 1
    assert verified(embeddings * 3, labels) == pytest.approx((loss, accuracy))  # of directions, not of lengths


def test_subjects_far_apart_are_told_apart_without_an_error():
    embeddings = torch.eye(4).repeat_interleave(3, 0)
    assert verified(embeddings, torch.arange(4).repeat_interleave(3)) == (0.0, 1.0)


def test_without_a_genuine_or_an_impostor_pair_there_is_no_value():
    assert verified(torch.eye(4), torch.arange(4)) is None
    assert verified(torch.eye(4), torch.zeros(4, dtype=torch.int64)) is None
    assert verified(torch.eye(4)[:1], torch.zeros(1, dtype=torch.int64)) is None


def test_of_many_images_whole_subjects_are_compared(monkeypatch):
    monkeypatch.setattr(open_set, "MOST", 6)
    embeddings, labels = torch.randn(12, 5), torch.arange(4).repeat(3)
    first = labels < 2
    assert verified(embeddings, labels) == verified(embeddings[first], labels[first])
