import torch

from modules.training.embedding_memory import Bank


def test_the_ring_keeps_the_last_embeddings():
    bank = Bank(1, size=4, every=1)
    for start, count in ((0, 3), (3, 2), (5, 6)):
        numbers = torch.arange(start, start + count)
        bank.add(numbers[:, None].float(), numbers)
        last = list(range(max(0, start + count - 4), start + count))
        assert sorted(label for label in bank.shown_labels.tolist() if label >= 0) == last
        assert bank.shown.flatten().tolist() == [max(label, 0) for label in bank.shown_labels.tolist()]


def test_what_is_shown_changes_at_multiples_only():
    bank = Bank(1, size=2, every=2)
    seen = []
    for step in range(5):
        bank.add(torch.full((2, 1), float(step)), torch.full((2,), step))
        seen.append(bank.shown_labels.tolist())
    assert seen == [[-1, -1], [1, 1], [1, 1], [3, 3], [3, 3]]


def test_no_gradient_enters():
    bank = Bank(1, size=2, every=1)
    bank.add(torch.ones(2, 1, requires_grad=True), torch.zeros(2, dtype=torch.int64))
    assert not bank.shown.requires_grad
