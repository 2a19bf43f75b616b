import pytest
import torch
from pair_networks import SIZE, images, network
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.targets import PREDICTED, ClassLogit, Cosine, Distance


class Network:
    class loss:
        @staticmethod
        def logits(embeddings):
            return embeddings * torch.tensor([1.0, 10.0, 100.0])


EMBEDDINGS = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_a_class_target_is_the_logit_of_each_images_own_class():
    target = ClassLogit(torch.tensor([2, 0]))
    assert target.scores(Network, EMBEDDINGS).tolist() == [300.0, 4.0]
    assert target.take([1, 1, 0]).scores(Network, EMBEDDINGS[[0, 1, 0]]).tolist() == [1.0, 4.0, 300.0]
    assert len(target) == 2


@pytest.mark.parametrize("detach", [True, False])
def test_a_cosine_target_is_the_cosine_with_each_images_own_reference(detach):
    references = torch.tensor([[0.0, 3.0, 0.0], [1.0, 1.0, -5.0]])
    target = Cosine(references, detach)
    expected = functional.cosine_similarity(EMBEDDINGS, references)
    assert torch.allclose(target.scores(Network, EMBEDDINGS), expected)
    assert torch.allclose(target.take([1]).scores(Network, EMBEDDINGS[[1]]), expected[[1]])


def test_a_longer_embedding_gains_nothing_unless_its_norm_is_held():
    reference = torch.tensor([[1.0, 1.0, 0.0]])
    for detach, gains in ((True, True), (False, False)):
        embedding = EMBEDDINGS[:1].clone().requires_grad_()
        Cosine(reference, detach).scores(Network, embedding).backward()
        assert bool((embedding.grad * embedding).sum().abs() > 1e-6) is gains


@pytest.mark.parametrize("detach", [True, False])
def test_a_distance_is_one_minus_the_cosine_and_pulls_the_other_way(detach):
    references = torch.tensor([[0.0, 3.0, 0.0], [1.0, 1.0, -5.0]])
    target, cosine = Distance(references, detach), Cosine(references, detach)
    assert torch.allclose(target.scores(Network, EMBEDDINGS), 1 - functional.cosine_similarity(EMBEDDINGS, references))
    one, other = (EMBEDDINGS.clone().requires_grad_() for _ in range(2))
    target.scores(Network, one).sum().backward()
    cosine.scores(Network, other).sum().backward()
    assert torch.allclose(one.grad, -other.grad)
    assert one.grad.abs().sum() > 0
    taken = target.take([1])
    assert isinstance(taken, Distance)
    assert (len(taken), taken.detach_norm) == (1, detach)


def test_what_two_images_have_in_common_gives_a_distance_no_slope():
    common, own = torch.tensor([[10.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    embedding = (common + own).requires_grad_()
    Distance(common - own).scores(Network, embedding).sum().backward()
    assert abs(float(embedding.grad @ (common + own).T)) < 1e-6
    assert float(embedding.grad[0, 1]) > 5 * abs(float(embedding.grad[0, 0]))


OPPOSITE = [
    {"name": "gradient_x_input"},
    {"name": "integrated_gradients", "steps": 10},
    {"name": "lime", "segments": 6, "samples": 40},
]
OTHER = [{"name": "gradcam", "layer": "two"}, {"name": "score_cam", "layer": "one"}, {"name": "rise", "masks": 40}]


@pytest.mark.parametrize("config", [*OPPOSITE, *OTHER], ids=lambda config: config["name"])
def test_methods_explain_a_distance_as_well_as_a_cosine(config):
    given, net = images(2), network("fc_bn")
    references = torch.randn(2, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    explainer = resolve("explainer", config)
    targets = Cosine(references, detach_norm=False), Distance(references)
    near, far = (explainer.build().explain(net, given, target, SIZE) for target in targets)
    assert far.target == Distance.words
    assert far.maps.any()
    if config in OPPOSITE:
        assert far.maps == pytest.approx(-near.maps, abs=1e-5)
    else:
        assert abs(far.maps - near.maps).max() > 1e-4


def test_a_part_of_a_target_keeps_its_description() -> None:
    target = ClassLogit(torch.tensor([2, 0]), PREDICTED)
    assert target.take([1]).words == PREDICTED == "logit of the predicted class"
    assert ClassLogit(torch.tensor([2])).words == "logit of the given class"
