import pytest
import torch
from torch import nn

from modules.attribution.explainer import Refused
from modules.attribution.perturbation import check_probability, scores_of
from modules.attribution.targets import ClassLogit, Cosine


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
