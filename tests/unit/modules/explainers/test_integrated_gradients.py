import numpy as np
import pytest
import torch
from small_networks import Smooth

from configs.lookup import resolve
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.integrated_gradients import IntegratedGradientsConfig

IMAGES = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
LABELS = torch.tensor([2, 0])
BASES = ("black", "mean", "white")


def base_of(image, baseline):
    if baseline == "mean":
        return torch.stack([torch.full((6, 6), float(channel.mean()), dtype=torch.float64) for channel in image])
    return torch.full_like(image, {"black": -1.0, "white": 1.0}[baseline])


@pytest.mark.parametrize("baseline", BASES)
def test_a_map_is_the_integral_along_the_line(baseline):
    """By a midpoint sum of 4,000 points."""
    network = Smooth()
    found = (
        IntegratedGradientsConfig(baseline=baseline, steps=20, batch=5).build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    )
    for number, label in enumerate(LABELS.tolist()):
        base = base_of(IMAGES[number], baseline)
        share = (torch.arange(4000, dtype=torch.float64) + 0.5)[:, None, None, None] / 4000
        leaf = (base + share * (IMAGES[number] - base)).requires_grad_()
        network(leaf)[:, label].sum().backward()
        expected = ((IMAGES[number] - base) * leaf.grad.mean(0)).sum(0).numpy()
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-4, atol=1e-6)


def test_points_and_weights_are_those_of_gauss_and_legendre():
    """Three points, by the textbook's numbers, added one by one."""
    network, root = Smooth(), 0.6**0.5
    expected = np.zeros((6, 6))
    for place, weight in ((0.5 - root / 2, 5 / 18), (0.5, 8 / 18), (0.5 + root / 2, 5 / 18)):
        leaf = (place * (IMAGES[0] + 1) - 1)[None].requires_grad_()
        network(leaf)[0, 2].backward()
        expected += weight * ((IMAGES[0] + 1) * leaf.grad[0]).sum(0).numpy()
    found, _ = IntegratedGradientsConfig(steps=3, batch=1).build().map_of(network, IMAGES[:1], ClassLogit(LABELS[:1]))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("baseline", BASES)
@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(1.0, 11, dtype=torch.float64).view(2, 5))])
def test_maps_sum_to_the_difference_of_the_scores(baseline, target):
    found = IntegratedGradientsConfig(baseline=baseline, steps=40).build().explain(Smooth(), IMAGES, target, 6)
    network = Smooth()
    for number in range(2):
        ends = torch.stack([IMAGES[number], base_of(IMAGES[number], baseline)])
        one, other = target.take([number, number]).scores(network, network(ends)).tolist()
        assert found.notes["difference"][number] == pytest.approx(one - other)
        assert found.maps[number].sum(dtype=np.float64) == pytest.approx(one - other, rel=1e-4, abs=1e-6)
        assert abs(found.notes["residual"][number]) < 1e-8


def test_what_too_few_steps_miss_is_noted():
    found = IntegratedGradientsConfig(steps=1, batch=1).build().explain(Smooth(), IMAGES, ClassLogit(LABELS), 6)
    for number in range(2):
        missing = found.notes["difference"][number] - found.maps[number].sum(dtype=np.float64)
        assert abs(missing) > 1e-3
        assert found.notes["residual"][number] == pytest.approx(missing, rel=1e-3)


def test_a_pixel_of_the_baselines_color_gets_nothing():
    image = IMAGES[:1].clone()
    image[:, :, 2, 3] = 1.0
    explainer = IntegratedGradientsConfig(baseline="white", steps=10).build()
    found = explainer.explain(Smooth(), image, ClassLogit(LABELS[:1]), 6).maps[0]
    assert found[2, 3] == 0
    assert np.count_nonzero(found) == 35


def test_it_equals_captum():
    from captum.attr import IntegratedGradients

    network = Smooth()
    found = IntegratedGradientsConfig(steps=20).build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    peer = IntegratedGradients(network).attribute(IMAGES, torch.full_like(IMAGES, -1.0), LABELS, n_steps=20)
    np.testing.assert_allclose(found.maps, peer.sum(1).detach().numpy(), rtol=1e-5, atol=1e-7)


def test_all_batches_have_one_shape():
    network = Smooth()
    IntegratedGradientsConfig(steps=6, batch=3).build().explain(network, IMAGES[:1], ClassLogit(LABELS[:1]), 6)
    assert network.seen == [3, 3, 1, 1]
    with pytest.raises(ValueError, match=r"steps \(7\) must be a multiple of batch \(3\)"):
        IntegratedGradientsConfig(steps=7, batch=3)


def test_it_is_found_by_name():
    assert resolve("explainer", "integrated_gradients") == IntegratedGradientsConfig()
