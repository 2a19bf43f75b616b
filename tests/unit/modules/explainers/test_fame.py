import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network
from torchvision.transforms.functional import gaussian_blur

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine, Distance
from modules.explainers.fame import FAMEConfig, blurred


def explain(net, given, target, **fields):
    fields = {"steps": 5, "step": 2.0, "blur": 1.0, **fields}
    return FAMEConfig(**fields).build().explain(net, given, target, SIZE)


def literal(net, image, loss, steps, step, blur):
    """The attack and the map written out in the paper's range [0, 1], with torchvision's blur and gray values."""
    unit = (image[None] + 1) / 2
    moved = unit.clone()
    for _ in range(steps):
        leaf = moved.clone().requires_grad_()
        loss(net.embed(leaf * 2 - 1)[0]).backward()
        moved = (moved - step / 255 * leaf.grad / leaf.grad.abs().max()).detach()
    red, green, blue = (moved - unit)[0]
    change = (0.2989 * red + 0.587 * green + 0.114 * blue).abs()
    radius = int(np.ceil(3 * blur))
    change = gaussian_blur(change[None], [2 * radius + 1] * 2, [blur, blur])[0]
    return ((change - change.min()) / (change.max() - change.min())).numpy()


@pytest.mark.parametrize("kind", [Cosine, Distance])
def test_maps_of_pairs_lower_the_cosine_or_the_distance(kind):
    net, given, others = network().eval(), images(2), images(2, seed=2)
    with torch.no_grad():
        codes = net.embed(others)
    found = explain(net, given, kind(codes))
    for number, other in enumerate(codes):

        def loss(code, other=other):
            cosine = code @ other / (code.norm() * other.norm())
            return cosine if kind is Cosine else 1 - cosine

        np.testing.assert_allclose(found.maps[number], literal(net, given[number], loss, 5, 2.0, 1.0), atol=1e-6)
    assert (np.array(found.notes["score_after"]) < found.notes["score_before"]).all()


def test_a_map_of_a_class_lowers_its_logit():
    net, given = network().eval(), images(1)
    found = explain(net, given, ClassLogit(torch.tensor([3])), steps=3, step=0.5)
    weight = net.loss.weight.detach()[3].double()
    np.testing.assert_allclose(found.maps[0], literal(net, given[0], lambda code: code[3] * weight, 3, 0.5, 1.0), atol=1e-6)
    assert found.maps.min() == 0
    assert found.maps.max() == 1


def test_the_first_step_is_as_long_as_asked_in_the_pixel_that_moves_most():
    class Sum(torch.nn.Module):
        """Its embedding is red alone, so only red moves, by one gray level in the pixel with the largest weight."""

        weight = torch.arange(SIZE * SIZE, dtype=torch.float64).view(SIZE, SIZE)

        def __init__(self):
            super().__init__()
            self.loss = type("Loss", (), {"logits": staticmethod(lambda code: code)})()

        def embed(self, given):
            return (given[:, 0] * self.weight).sum((1, 2))[:, None]

    found = explain(Sum(), images(1), ClassLogit(torch.tensor([0])), steps=1, step=1.0, blur=0)
    np.testing.assert_allclose(found.maps[0], Sum.weight.numpy() / (SIZE * SIZE - 1), atol=1e-6)
    before, after = found.notes["score_before"][0], found.notes["score_after"][0]
    assert before - after == pytest.approx(float((Sum.weight**2).sum()) / (SIZE * SIZE - 1) * 2 / 255)


def test_the_blur_is_torchvision_s_also_where_it_is_wider_than_the_image():
    change = torch.rand(40, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blurred(change, 2.5), gaussian_blur(change[None], [17, 17], [2.5, 2.5])[0])
    assert blurred(change[:16, :16], 7.7).shape == (16, 16)
    assert blurred(change, 0) is change


def test_no_gradient_gives_a_map_of_zeros_and_a_zero_embedding_is_refused():
    net = network().eval()
    with torch.no_grad():
        for parameter in net.backbone.parameters():
            parameter.zero_()
        target = Cosine(net.embed(images(1)))
    found = explain(net, images(1), target)
    assert found.notes["empty_maps"] == [0]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for part in net.modules():
            if isinstance(part, torch.nn.BatchNorm1d):
                part.running_mean.zero_()
    with pytest.raises(Refused) as caught:
        explain(net, images(1), target)
    assert caught.value.code == "not_finite"


def test_the_distance_gives_the_map_of_differences():
    assert resolve("explainer", "fame") == FAMEConfig()
    assert resolve("explainer", {"name": "fame", "pairs": 2, "pair_target": "distance"}).difference_maps == {""}
    assert resolve("explainer", {"name": "fame", "pairs": 2}).difference_maps == frozenset()
