from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network

from modules.attribution import component_gradients
from modules.attribution.component_gradients import component_maps, normalized

WEIGHTS = torch.tensor([0.5, -1.0, 0.25, 0.0, 2.0], dtype=torch.float64)


def naive(net, image, place):
    """Central differences of one component in every pixel and color; the mean of the absolute values over the colors."""
    steps = 1e-6 * torch.eye(3 * SIZE * SIZE, dtype=torch.float64).view(-1, 3, SIZE, SIZE)
    found = (net.embed(image + steps) - net.embed(image - steps))[:, place] / 2e-6
    return np.abs(found.view(3, SIZE, SIZE).numpy()).mean(0)


def literal(one, norm):
    if norm == "l2":
        return one / np.linalg.norm(one)
    return (one - one.min()) / (one.max() - one.min()) if norm == "min_max" else one


@pytest.mark.parametrize("norm", ["l2", "min_max", "none"])
def test_it_is_the_weighted_sum_of_the_components_gradients(norm, monkeypatch):
    monkeypatch.setattr(component_gradients, "BATCH", 3)  # the last batch is not full
    net, image = network().eval(), images(1)[0]
    found, empty = component_maps(net, image, WEIGHTS, norm)
    with torch.no_grad():
        maps = [literal(naive(net, image, place), norm) for place in range(5)]
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
