import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network, unchanged

from configs.lookup import resolve
from modules.attribution.explainer import Reference, Refused
from modules.attribution.pair_utilities import decision_threshold
from modules.explainers.xssab import XSSABConfig


def explain(net, left, right, reference=None, **fields):
    return XSSABConfig(**fields).build().explain(net, left, right, SIZE, reference)


def literal(net, image, other, threshold):
    """S+ and S- by central differences: the other embedding and the arguments are constant, the norm is not."""

    def unit(some):
        found = net.embed(some).detach().numpy()
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    fixed, start = unit(other[None])[0], unit(image[None])[0]
    steps = 1e-6 * torch.eye(3 * SIZE * SIZE, dtype=torch.float64).view(-1, 3, SIZE, SIZE)
    slopes = (unit(image + steps) - unit(image - steps)) / 2e-6 * fixed  # (pixels, components)
    groups = start * fixed >= threshold / len(fixed), start * fixed < threshold / len(fixed)
    return [np.abs(slopes[:, group].sum(1).reshape(3, SIZE, SIZE)).mean(0) for group in groups]


@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_maps_are_gradients_of_the_arguments_for_and_against(threshold):
    net, left, right = network().eval(), images(1), images(1, seed=2)
    found = explain(net, left, right, threshold=threshold)
    assert 0 < found.notes["arguments"][0] < 5
    for side, (image, other) in enumerate(((left[0], right[0]), (right[0], left[0]))):
        supporting, opposing = literal(net, image, other, threshold)
        np.testing.assert_allclose(found.maps["S+"][0, side], supporting, atol=1e-6)
        np.testing.assert_allclose(found.maps["S-"][0, side], opposing, atol=1e-6)
        np.testing.assert_allclose(found.maps["S"][0, side], supporting - opposing, atol=1e-6)
    assert found.signed == {"S"}
    assert XSSABConfig().difference_maps == {"S-"}


def test_an_image_with_itself_has_no_argument_against_at_threshold_0():
    net, one = network(), images(1)
    found = explain(net, one, one, threshold=0.0)
    assert found.notes["arguments"] == [5]
    assert not found.maps["S-"].any()
    np.testing.assert_allclose(found.maps["S+"], 0, atol=1e-9)  # the cosine of an image with itself is at its maximum


def test_each_pair_is_explained_by_itself_and_sides_swap():
    net, left, right = network(), images(3), images(3, seed=2)
    found, swapped = explain(net, left, right, threshold=0.2), explain(net, right[1:2], left[1:2], threshold=0.2)
    for name in ("S+", "S-", "S"):
        np.testing.assert_array_equal(found.maps[name][1:2], swapped.maps[name][:, ::-1])


def test_the_threshold_is_that_of_the_reference_or_given():
    net, left, right = network(), images(1), images(1, seed=2)
    known = Reference(images(4, seed=3), images(4, seed=4), torch.tensor([True, False] * 2), torch.zeros(3))
    assert explain(net, left, right, known).notes["threshold"] == decision_threshold(network().eval(), known, left, "")
    with pytest.raises(Refused) as caught:
        explain(net, left, right)
    assert caught.value.code == "no_reference"


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2), threshold=0.0))


def test_it_is_found_by_name():
    assert resolve("explainer", "xssab") == XSSABConfig()
