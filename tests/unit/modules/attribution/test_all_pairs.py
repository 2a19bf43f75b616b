import numpy as np
import pytest
from pair_networks import SIZE, images, network

from modules.attribution import all_pairs
from modules.attribution.linear_heads import LinearHead
from modules.explainers import stylianou


@pytest.mark.parametrize("name", ["gap_bn", "fc_bn", "gmp"])
@pytest.mark.parametrize("block", [1, 1 << 24])
def test_all_pairs_are_the_pairs_one_by_one(name, block, monkeypatch):
    monkeypatch.setattr(all_pairs, "_BLOCK", block)
    net, left, right = network(name), images(2), images(3, seed=2)
    made = LinearHead(net.head)
    caches = all_pairs.cache(net, left), all_pairs.cache(net, right)
    maps, bias, cosines = all_pairs.stylianou(made, *caches)
    other, _, _ = all_pairs.stylianou(made, *caches[::-1])
    for i in range(2):
        for j in range(3):
            one = stylianou.StylianouConfig().build().explain(net, left[i : i + 1], right[j : j + 1], SIZE)
            np.testing.assert_allclose(one.maps["similarity"][0, 0], maps[i, j].numpy(), rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(one.maps["similarity"][0, 1], other[j, i].numpy(), rtol=1e-6, atol=1e-8)
            assert one.notes["bias"][0][0] == pytest.approx(float(bias[i, j]), abs=1e-14)
            assert one.cosines[0] == pytest.approx(float(cosines[i, j]), abs=1e-7)


def test_there_is_one_forward_pass_per_image():
    net, passes = network(), []
    original = net.backbone.forward
    net.backbone.forward = lambda batch: passes.append(len(batch)) or original(batch)
    caches = all_pairs.cache(net, images(5)), all_pairs.cache(net, images(4, seed=2))
    all_pairs.stylianou(LinearHead(net.head), *caches)
    assert passes == [1] * 9
