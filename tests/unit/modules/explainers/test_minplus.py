import numpy as np
import pytest
import torch
from pair_networks import SIZE, Bright, images, network, unchanged
from pydantic import ValidationError
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Reference, Refused
from modules.explainers.minplus import MinPlusConfig

WIDTH, STRIDE = 2.0, 3
CENTERS = [0, 3, 6, 9, 12, 15]
SMALL = {"width": WIDTH, "stride": STRIDE, "threshold": -1}


def explain(net, left, right, reference=None, same=None, **fields):
    return MinPlusConfig(**{**SMALL, **fields}).build().explain(net, left, right, SIZE, reference, same)


def window(row, column):
    out = np.zeros((SIZE, SIZE))
    for y in range(SIZE):
        for x in range(SIZE):
            out[y, x] = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * WIDTH**2))
    return torch.from_numpy(out)


def literal(net, image, other, rounds=0):
    """Each patch, one image at a time; what is hidden is black."""
    patches = [window(row, column) for row in CENTERS for column in CENTERS]
    second = net.embed(other[None])[0]

    def score(shown):
        return float(nn.functional.cosine_similarity(net.embed((image * shown - (1 - shown))[None])[0], second, dim=0))

    whole, blank = score(torch.ones(SIZE, SIZE).double()), score(torch.zeros(SIZE, SIZE).double())
    total = sum(patches)
    maps = {
        "removal": sum((whole - score(1 - patch)) * patch for patch in patches) / total,
        "aggregation": sum((score(patch) - blank) * patch for patch in patches) / total,
    }
    removal, aggregation = torch.zeros_like(total), torch.zeros_like(total)
    hidden, best_so_far = torch.ones_like(total), whole
    for _ in range(rounds):
        value, index = min((score(hidden * (1 - patch)), index) for index, patch in enumerate(patches))
        if value >= best_so_far:
            break
        removal += (best_so_far - value) * patches[index]
        hidden, best_so_far = hidden * (1 - patches[index]), value
    missing, best_so_far = torch.ones_like(total), blank
    for _ in range(rounds):
        value, index = max((score(1 - missing * (1 - patch)), -index) for index, patch in enumerate(patches))
        if value <= best_so_far:
            break
        aggregation += (value - best_so_far) * patches[-index]
        missing, best_so_far = missing * (1 - patches[-index]), value
    if rounds:
        maps |= {"greedy_removal": removal, "greedy_aggregation": aggregation}
    return {name: one.numpy() for name, one in maps.items()}


@pytest.mark.parametrize("rounds", [0, 3])
def test_maps_are_the_literal_loop(rounds):
    net, left, right = network(), images(1), images(1, seed=2)
    fill = torch.full((3, 1, 1), -1.0, dtype=torch.float64)
    found = explain(net, left, right, rounds=rounds)
    explainer = MinPlusConfig(**SMALL, rounds=rounds).build()
    net.eval()
    with torch.no_grad():
        for side, both in enumerate([(left[0], right[0]), (right[0], left[0])]):
            expected = literal(net, *both, rounds)
            raw = explainer.strategies(net, *both, fill)
            assert list(raw) == list(expected)
            for name, one in expected.items():
                np.testing.assert_allclose(raw[name], one, rtol=0, atol=1e-12)
                np.testing.assert_allclose(found.maps[name][0, side], one, rtol=1e-5, atol=1e-7)
                assert np.abs(one).max() > 1e-4
            scaled = [(one - one.min()) / (one.max() - one.min()) for one in expected.values()]
            np.testing.assert_allclose(found.maps["minplus"][0, side], sum(scaled) / len(scaled), atol=1e-5)


def test_it_peaks_at_the_patch_that_makes_two_images_alike():
    left = torch.full((1, 3, SIZE, SIZE), -0.98, dtype=torch.float64)
    left[:, :, 8:12, 4:8] = 1
    found = explain(Bright(), left, left.clone(), rounds=2)
    for name, maps in found.maps.items():
        row, column = np.unravel_index(maps[0, 0].argmax(), (SIZE, SIZE))
        assert 7 <= row <= 12, name
        assert 3 <= column <= 8, name


def test_swapping_the_images_swaps_the_maps():
    net, left, right = network(), images(2), images(2, seed=2)
    one, other = explain(net, left, right), explain(net, right, left)
    for name in one.maps:
        np.testing.assert_array_equal(one.maps[name], other.maps[name][:, ::-1])


def test_each_impostor_pair_is_refused_for_itself():
    net, left, right = network(), images(3), images(3, seed=2)
    found = explain(net, left, right, same=[True, False, True])
    assert [(one["pair"], one["code"]) for one in found.notes["refused_pairs"]] == [(1, "impostor_pair")]
    assert found.notes["evaluated_by"] == "truth"
    for maps in found.maps.values():
        assert not maps[1].any()
        assert maps[0].any()
    np.testing.assert_array_equal(explain(net, left[2:], right[2:]).maps["minplus"][0], found.maps["minplus"][2])


def test_without_the_truth_the_networks_decision_counts():
    net, left, right = network(), images(3), images(3, seed=2)
    cosines = explain(net, left, right).cosines
    limit = float(np.sort(cosines)[1])
    found = explain(net, left, right, threshold=limit - 1e-4)
    assert [one["pair"] for one in found.notes["refused_pairs"]] == [int(cosines.argmin())]
    assert found.notes["evaluated_by"] == "decision"
    assert f"threshold {limit - 1e-4:.4f}" in found.notes["refused_pairs"][0]["reason"]


def test_the_threshold_may_come_from_the_reference():
    net, left, right = network(), images(4), images(4, seed=2)
    cosines = explain(net, left, right).cosines
    limit = float(np.sort(cosines)[1:3].mean())
    reference = Reference(left, right, torch.from_numpy(cosines > limit), torch.zeros(3))
    found = explain(net, left, right, reference, threshold=None)
    assert {one["pair"] for one in found.notes["refused_pairs"]} == set(np.flatnonzero(cosines < limit).tolist())
    with pytest.raises(Refused) as caught:
        explain(net, left, right, threshold=None)
    assert caught.value.code == "no_reference"


def test_no_genuine_pair_at_all_is_a_refusal():
    with pytest.raises(Refused, match="none of the 2 pairs is genuine") as caught:
        explain(network(), images(2), images(2, seed=2), same=torch.tensor([False, False]))
    assert caught.value.code == "impostor_pair"


def test_a_network_that_sees_nothing_has_flat_maps():
    net = network()
    nn.init.zeros_(net.head.linear.weight)
    found = explain(net, images(1), images(1, seed=2))
    assert all(np.abs(one).max() < 1e-12 for one in found.maps.values())


def test_zero_embeddings_are_refused():
    net = network("gmp")
    nn.init.zeros_(net.backbone.two[1].weight)
    nn.init.zeros_(net.backbone.two[1].bias)
    with pytest.raises(Refused) as caught:
        explain(net, images(1), images(1, seed=2))
    assert caught.value.code == "zero_norm"


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2)))


def test_a_stride_that_skips_pixels_is_refused():
    with pytest.raises(ValidationError, match="more than twice width"):
        MinPlusConfig(width=2, stride=5)


def test_it_is_found_by_name():
    assert resolve("explainer", "minplus") == MinPlusConfig()
