import pytest
import torch
from torch import nn

from modules.attribution.explainer import Refused
from modules.attribution.perturbation import AlteredScores, check_probability
from modules.attribution.targets import ClassLogit, Cosine, Target


class Network(nn.Module):
    """Counts what it is given."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 9, 6)).double()
        self.loss = self
        self.seen = []

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value) if name == "loss" else super().__setattr__(name, value)

    def embed(self, images):
        self.seen.append(tuple(images.shape))
        return self.body(images)

    def logits(self, embeddings):
        return embeddings * torch.arange(1, 7)


IMAGES = torch.randn(5, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def scores_of(network, images, target, batch, probability=False):
    scores = AlteredScores(network, target, batch, images.device, probability)
    found = scores(images)
    scores.check()
    return found


def test_class_scores_are_the_targets_own_for_every_image_and_row():
    network, labels = Network(), torch.tensor([4, 0, 4])
    found = scores_of(network, IMAGES, ClassLogit(labels), 8)
    assert network.seen == [(8, 3, 8, 8)]
    for row, label in enumerate(labels):
        one = ClassLogit(label.repeat(5))
        assert torch.allclose(found[:, row], one.scores(network, network.embed(IMAGES)), atol=1e-12)


def test_cosines_are_those_with_each_reference():
    network, references = Network(), torch.randn(2, 6, dtype=torch.float64)
    found = scores_of(network, IMAGES, Cosine(references), 5)
    embeddings = network.embed(IMAGES)
    expected = torch.nn.functional.cosine_similarity(embeddings[:, None], references[None], dim=2)
    assert torch.allclose(found, expected, atol=1e-12)


def test_a_probability_is_the_softmax():
    network = Network()
    found = scores_of(network, IMAGES, ClassLogit(torch.tensor([3])), 5, probability=True)
    assert torch.allclose(found[:, 0], network.logits(network.embed(IMAGES)).softmax(1)[:, 3], atol=1e-12)
    with pytest.raises(Refused) as caught:
        check_probability(Cosine(torch.ones(1, 6)), True)
    assert caught.value.code == "no_probability"


def test_a_score_does_not_depend_on_how_many_images_there_are():
    network, target = Network(), ClassLogit(torch.tensor([2]))
    together = scores_of(network, IMAGES, target, 8)
    assert torch.equal(together[:2], scores_of(network, IMAGES[:2], target, 8))


def test_a_score_that_is_no_number_is_refused_but_not_for_the_filling():
    network = Network()
    network.body[0].bias.data.zero_()
    network.body[3].bias.data.zero_()
    target = Cosine(torch.ones(1, 6, dtype=torch.float64))
    assert torch.isfinite(scores_of(network, IMAGES, target, 8)).all()  # the gray images that fill up have length 0
    with pytest.raises(Refused, match="1 of 2") as caught:
        scores_of(network, torch.stack([IMAGES[0], IMAGES[0] * 0]), target, 8)
    assert caught.value.code == "not_finite"


def test_the_altered_images_of_all_batches_are_counted():
    network = Network()
    network.body[0].bias.data.zero_()
    network.body[3].bias.data.zero_()
    scores = AlteredScores(network, Cosine(torch.ones(1, 6, dtype=torch.float64)), 4, IMAGES.device)
    scores(IMAGES[:4])
    scores.check()
    scores(IMAGES[:2] * 0)
    scores(IMAGES[4:])
    with pytest.raises(Refused, match="2 of 7"):
        scores.check()


def test_a_target_of_ones_own_is_applied_to_all_images():
    class Norm(Target):
        """Times its row's factor; it has no tensors, so ``to`` has nothing to do."""

        words = "norm"

        def __init__(self, factors):
            self.factors = factors

        def scores(self, network, embeddings):
            return embeddings.norm(dim=1) * torch.tensor(self.factors)

        def take(self, rows):
            return Norm([self.factors[row] for row in rows])

        def __len__(self):
            return len(self.factors)

    network = Network()
    found = scores_of(network, IMAGES, Norm([1.0, 3.0]), 8)
    norms = network.embed(IMAGES).norm(dim=1)
    assert torch.allclose(found, torch.stack([norms, 3 * norms], 1), atol=1e-6)
