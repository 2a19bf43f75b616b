from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network, unchanged

from configs.lookup import resolve
from modules.attribution.explainer import Reference, Refused
from modules.attribution.pair_utilities import decision_threshold
from modules.explainers import fggb
from modules.explainers.fggb import FGGBConfig, component_maps, normalized


def explain(net, left, right, reference=None, **fields):
    return FGGBConfig(**fields).build().explain(net, left, right, SIZE, reference)


def literal(net, image, one, other, threshold):
    """The sum over components, one backward pass each, with L2 norms."""
    out = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    for k in range(len(one)):
        leaf = image.clone()[None].requires_grad_()
        net.embed(leaf.clone())[0, k].backward()
        gradient = leaf.grad[0].abs().mean(0).double()
        out += gradient / gradient.norm() * (one[k] * other[k] / (one.norm() * other.norm()) - threshold / len(one))
    return out.detach().numpy()


def test_maps_are_the_loop_over_components():
    net, left, right = network().eval(), images(2), images(2, seed=2)
    found = explain(net, left, right, threshold=0.3)
    for pair in range(2):
        embedded = [net.embed(image[None])[0].detach().double() for image in (left[pair], right[pair])]
        assert found.cosines[pair] == pytest.approx(float(torch.cosine_similarity(*embedded, dim=0)), abs=1e-6)
        for side, image in enumerate((left[pair], right[pair])):
            expected = literal(net, image, *embedded, 0.3)
            assert expected.any()
            np.testing.assert_allclose(found.maps["S+"][pair, side], np.maximum(expected, 0), atol=1e-6)
            np.testing.assert_allclose(found.maps["S-"][pair, side], np.maximum(-expected, 0), atol=1e-6)


def test_a_higher_threshold_moves_evidence_from_s_plus_to_s_minus():
    net, left, right = network(), images(1), images(1, seed=2)
    low, high = (explain(net, left, right, threshold=value) for value in (-1.0, 1.0))
    assert low.maps["S+"].sum() > high.maps["S+"].sum()
    assert low.maps["S-"].sum() < high.maps["S-"].sum()
    assert FGGBConfig().difference_maps == {"S-"}


def test_the_threshold_is_that_of_the_reference_or_given():
    net, left, right = network(), images(1), images(1, seed=2)
    known = Reference(images(4, seed=3), images(4, seed=4), torch.tensor([True, False] * 2), torch.zeros(3))
    found = explain(net, left, right, known)
    assert found.notes["threshold"] == decision_threshold(network().eval(), known, left, "")
    given = explain(net, left, right, threshold=found.notes["threshold"])
    np.testing.assert_array_equal(found.maps["S-"], given.maps["S-"])
    with pytest.raises(Refused) as caught:
        explain(net, left, right)
    assert caught.value.code == "no_reference"


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2), threshold=0.0))


def test_it_is_found_by_name():
    assert resolve("explainer", {"name": "fggb", "norm": "min_max"}) == FGGBConfig(norm="min_max")


WEIGHTS = torch.tensor([0.5, -1.0, 0.25, 0.0, 2.0], dtype=torch.float64)


def naive(net, image, place):
    """Central differences of one component in every pixel and color; the mean of the absolute values over the colors."""
    steps = 1e-6 * torch.eye(3 * SIZE * SIZE, dtype=torch.float64).view(-1, 3, SIZE, SIZE)
    found = (net.embed(image + steps) - net.embed(image - steps))[:, place] / 2e-6
    return np.abs(found.view(3, SIZE, SIZE).numpy()).mean(0)


def normalized_literally(one, norm):
    if norm == "l2":
        return one / np.linalg.norm(one)
    return (one - one.min()) / (one.max() - one.min()) if norm == "min_max" else one


@pytest.mark.parametrize("norm", ["l2", "min_max", "none"])
def test_it_is_the_weighted_sum_of_the_components_gradients(norm, monkeypatch):
    monkeypatch.setattr(fggb, "BATCH", 3)  # the last batch is not full
    net, image = network().eval(), images(1)[0]
    found, empty = component_maps(net, image, WEIGHTS, norm)
    with torch.no_grad():
        maps = [normalized_literally(naive(net, image, place), norm) for place in range(5)]
    np.testing.assert_allclose(found, sum(float(w) * one for w, one in zip(WEIGHTS, maps, strict=True)), atol=1e-7)
    assert empty == 0


@pytest.mark.parametrize("norm", ["l2", "min_max", "none"])
def test_a_component_without_gradient_adds_nothing(norm):
    net, image = network().eval(), images(1)[0]
    whole, _ = component_maps(net, image, WEIGHTS, norm)
    mask = torch.tensor([0.0, 1, 1, 1, 1], dtype=torch.float64)
    found, empty = component_maps(SimpleNamespace(embed=lambda some: net.embed(some) * mask), image, WEIGHTS, norm)
    alone, _ = component_maps(net, image, WEIGHTS * (1 - mask), norm)
    assert empty == 1
    np.testing.assert_allclose(found, whole - alone, atol=1e-12)


def test_constant_maps_become_zero():
    flat = torch.ones(1, 4, 4, dtype=torch.float64)
    assert normalized(flat, "min_max").abs().max() == 0
    assert float(normalized(flat, "l2").square().sum()) == pytest.approx(1)
    assert torch.isfinite(normalized(0 * flat, "l2")).all()
