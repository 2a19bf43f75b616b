import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network, unchanged
from torch import nn

from configs.lookup import resolve
from modules.attribution import all_pairs
from modules.attribution.explainer import Refused
from modules.attribution.linear_heads import LinearHead
from modules.explainers.stylianou import StylianouConfig


def explain(net, left, right):
    return StylianouConfig().build().explain(net, left, right, SIZE)


@pytest.mark.parametrize("name", ["gap_bn", "fc_bn", "gdc", "l2", "l2_flatten", "tokens", "gmp"])
def test_map_and_bias_sum_to_the_cosine(name):
    net, left, right = network(name), images(2), images(2, seed=2)
    found = explain(net, left, right)
    caches = all_pairs.cache(net, left), all_pairs.cache(net, right)
    maps, bias, _ = all_pairs.stylianou(LinearHead(net.head), *caches)
    net.eval()
    with torch.no_grad():
        cosines = nn.functional.cosine_similarity(net.embed(left), net.embed(right))
    for pair in range(2):
        assert float(maps[pair, pair].sum() + bias[pair, pair]) == pytest.approx(float(cosines[pair]), abs=1e-15)
        for side in range(2):
            total = found.maps["similarity"][pair, side].sum(dtype=np.float64) + found.notes["bias"][pair][side]
            assert total == pytest.approx(float(cosines[pair]), abs=1e-6)
    assert (name == "gmp") == (found.notes["bias"] == [[0, 0], [0, 0]])


def literal(features, other):
    """The paper's average pooling: cell by cell, channel by channel."""
    channels, height, width = features.shape
    first, second = features.mean((1, 2)), other.mean((1, 2))
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                out[y, x] += float(features[c, y, x] * second[c]) / (height * width * float(first.norm() * second.norm()))
    return out


def test_plain_average_pooling_is_the_closed_form():
    net = network("gap_bn")
    net.head.norm = nn.BatchNorm1d(6, eps=0).double()
    net.head.linear = nn.Linear(6, 6).double()
    nn.init.eye_(net.head.linear.weight)
    nn.init.zeros_(net.head.linear.bias)
    found = explain(net, images(1), images(1, seed=2))
    with torch.no_grad():
        one, other = (net.eval().features(image)[0] for image in (images(1), images(1, seed=2)))
    np.testing.assert_allclose(found.maps["similarity"][0, 0], literal(one, other), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.maps["similarity"][0, 1], literal(other, one), rtol=1e-6, atol=1e-8)
    assert found.notes["bias"] == [[0, 0]]


def test_swapping_the_images_swaps_the_maps():
    net, left, right = network("fc_bn"), images(2), images(2, seed=2)
    one, other = explain(net, left, right), explain(net, right, left)
    np.testing.assert_array_equal(one.maps["similarity"], other.maps["similarity"][:, ::-1])


def test_other_heads_are_refused():
    with pytest.raises(Refused) as caught:
        explain(network("l2_max"), images(1), images(1, seed=2))
    assert caught.value.code == "not_linear_head"


def test_zero_embeddings_are_refused():
    net = network("gmp")
    nn.init.zeros_(net.backbone.two[1].weight)
    nn.init.zeros_(net.backbone.two[1].bias)
    with pytest.raises(Refused) as caught:
        explain(net, images(1), images(1, seed=2))
    assert caught.value.code == "zero_norm"


def test_a_float32_network_sums_to_its_cosine_too():
    net, left, right = network("fc_bn", double=False), images(2, double=False), images(2, seed=2, double=False)
    found = explain(net, left, right)
    total = found.maps["similarity"].sum((2, 3)) + np.array(found.notes["bias"])
    np.testing.assert_allclose(total, np.stack([found.cosines] * 2, 1), atol=1e-6)


def test_a_pairs_map_depends_on_that_pair_alone():
    net, left, right = network("fc_bn", double=False), images(double=False), images(seed=2, double=False)
    together = explain(net, left, right).maps["similarity"]
    np.testing.assert_array_equal(explain(net, left[1:2], right[1:2]).maps["similarity"][0], together[1])


def test_the_network_is_left_as_it_was():
    net = network("gap_bn")
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2)))


def test_it_works_where_gradients_are_off():
    net, one, other = network("fc_bn"), images(1), images(1, seed=2)
    with torch.inference_mode():
        off = explain(net, one, other).maps["similarity"]
    np.testing.assert_array_equal(off, explain(net, one, other).maps["similarity"])


def test_it_is_found_by_name():
    assert resolve("explainer", "stylianou") == StylianouConfig()
