import numpy as np
import pytest
import torch
from pair_networks import SIZE, Bright, images, network, unchanged
from pydantic import ValidationError

from configs.lookup import resolve
from modules.attribution import pair_utilities
from modules.attribution.explainer import Reference, Refused
from modules.attribution.sanity_checks import check_pairs
from modules.explainers.pair_occlusion import PairOcclusionConfig
from modules.explanation_metrics.sanity import SanityConfig

MEAN = torch.tensor([0.1, -0.2, 0.3])


def reference(count=4, same=None):
    same = torch.arange(count) % 2 == 0 if same is None else same
    return Reference(images(count, seed=8), images(count, seed=9), same, MEAN)


def explain(net, left, right, given=None, **fields):
    return PairOcclusionConfig(**{"patch": 5, "stride": 3, **fields}).build().explain(net, left, right, SIZE, given)


def literal(net, left, right, patch, stride, fill):
    """Algorithm 1 of the paper, one pair of images at a time, with D = 1 - cosine."""

    def distance(one, other):
        a, b = (net.embed(image[None])[0].detach().numpy().astype(np.float64) for image in (one, other))
        return 1 - sum(a * b) / (np.sqrt(sum(a * a)) * np.sqrt(sum(b * b)))

    corners = sorted({*range(0, SIZE - patch + 1, stride), SIZE - patch})
    delta, counts = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    before = distance(left, right)
    for row in corners:
        for column in corners:
            one, other = left.clone(), right.clone()
            for image in (one, other):
                for channel in range(3):
                    image[channel, row : row + patch, column : column + patch] = float(fill[channel])
            after = distance(one, other)
            delta[row : row + patch, column : column + patch] += before - after
            counts[row : row + patch, column : column + patch] += 1
    return delta / counts


@pytest.mark.parametrize(("patch", "stride"), [(5, 3), (4, 4), (16, 1)])
def test_delta_is_algorithm_1(patch, stride):
    net, left, right = network(), images(2), images(2, seed=2)
    raw = PairOcclusionConfig(patch=patch, stride=stride).build()
    found = explain(net, left, right, reference(), patch=patch, stride=stride)
    net.eval()
    with torch.no_grad():
        for pair in range(2):
            expected = literal(net, left[pair], right[pair], patch, stride, MEAN.double())
            delta, _ = raw.delta(net, left[pair], right[pair], MEAN.double()[:, None, None])
            np.testing.assert_allclose(delta, expected, rtol=0, atol=1e-7 if MEAN.dtype != torch.float64 else 1e-12)
            np.testing.assert_allclose(found.maps["delta"][pair], np.stack([expected] * 2), rtol=1e-6, atol=1e-7)
            assert np.abs(expected).max() > 1e-4


def test_delta_is_algorithm_1_to_rounding():
    net, left, right = network().eval(), images(1), images(1, seed=2)
    fill = torch.tensor([0.5, -0.25, 0.125], dtype=torch.float64)
    delta, _ = PairOcclusionConfig(patch=5, stride=3).build().delta(net, left[0], right[0], fill[:, None, None])
    np.testing.assert_allclose(delta, literal(net, left[0], right[0], 5, 3, fill), rtol=0, atol=1e-12)


def planted():
    """Two images that differ in one square alone."""
    left = torch.full((1, 3, SIZE, SIZE), -0.5, dtype=torch.float64)
    right = left.clone()
    right[:, :, 8:12, 4:8] = 1
    return left, right


def test_delta_peaks_where_a_patch_was_planted():
    found = explain(Bright(), *planted(), patch=4, stride=4, fill="black").maps["delta"][0, 0]
    inside = np.zeros((SIZE, SIZE), bool)
    inside[8:12, 4:8] = True
    assert found[inside].min() > 0
    assert found[inside].min() > found[~inside].max()
    assert found[~inside].max() <= 0
    other = explain(Bright(), *planted(), patch=4, stride=4, fill="black", sign="similarity").maps["delta"][0, 0]
    np.testing.assert_array_equal(other, -found)
    assert PairOcclusionConfig().difference_maps == {"delta", "normalized"}
    assert not PairOcclusionConfig(sign="similarity").difference_maps


def test_both_images_are_hidden_together():
    """With one image hidden the cosine of equal images would fall; hidden alike they stay equal."""
    one = images(1)
    found = explain(network(), one, one, fill="gray")
    np.testing.assert_allclose(found.maps["delta"], 0, atol=1e-12)


def test_both_images_have_the_same_map_and_order_does_not_matter():
    net, left, right = network(), images(2), images(2, seed=2)
    one, other = explain(net, left, right, fill="gray"), explain(net, right, left, fill="gray")
    np.testing.assert_array_equal(one.maps["delta"][:, 0], one.maps["delta"][:, 1])
    np.testing.assert_allclose(one.maps["delta"], other.maps["delta"], atol=1e-9)


@pytest.mark.parametrize("sign", ["difference", "similarity"])
def test_theta_comes_from_the_reference_alone(sign):
    net, given = network(), reference(6)
    found = explain(net, images(2), images(2, seed=2), given, sign=sign)
    theta = found.notes["theta"]
    maxima = explain(net, given.left, given.right, given, sign=sign).maps["delta"][:, 0].max((1, 2))
    np.testing.assert_allclose(theta["maxima"]["genuine"], maxima[0::2], rtol=1e-6)
    np.testing.assert_allclose(theta["maxima"]["impostor"], maxima[1::2], rtol=1e-6)
    assert sum(theta["histogram"]["genuine"]) == 3 * SIZE * SIZE
    higher, lower = ("impostor", "genuine") if sign == "difference" else ("genuine", "impostor")
    beyond = {kind: np.mean(np.array(theta["maxima"][kind]) >= theta["value"]) for kind in (higher, lower)}
    assert theta["youden"] == pytest.approx(beyond[higher] - beyond[lower])
    if theta["value"] > 0:
        expected = np.clip(found.maps["delta"] / np.float32(theta["value"]), 0, 1)
        np.testing.assert_allclose(found.maps["normalized"], expected, atol=1e-6)


def test_without_reference_pairs_delta_stays_raw():
    one, other = images(1), images(1, seed=2)
    for given in (None, reference(2, torch.tensor([True, True]))):
        found = explain(network(), one, other, given, fill="gray")
        assert set(found.maps) == {"delta"}
        assert found.notes["theta"] is None
        assert "no reference pairs of both kinds" in found.notes["unnormalized"]


def test_the_mean_color_needs_a_reference():
    with pytest.raises(Refused, match="mean color") as caught:
        explain(network(), images(1), images(1, seed=2))
    assert caught.value.code == "no_reference"


def test_a_theta_that_is_not_positive_normalizes_nothing():
    given = Reference(*(torch.cat([one] * 2) for one in [images(2)] * 2), torch.tensor([True, False, True, False]), MEAN)
    found = explain(network(), images(1), images(1, seed=2), given)
    if found.notes["theta"]["value"] <= 0:
        assert set(found.maps) == {"delta"}
        assert "Theta is" in found.notes["unnormalized"]
    else:
        assert set(found.maps) == {"delta", "normalized"}


def test_zero_embeddings_are_refused():
    net = network("gmp")
    torch.nn.init.zeros_(net.backbone.two[1].weight)
    torch.nn.init.zeros_(net.backbone.two[1].bias)
    with pytest.raises(Refused) as caught:
        explain(net, images(1), images(1, seed=2), fill="gray")
    assert caught.value.code == "zero_norm"


def test_constant_images_have_flat_maps():
    flat = torch.zeros(1, 3, SIZE, SIZE, dtype=torch.float64)
    found = explain(network(), flat, flat, fill="gray")
    np.testing.assert_allclose(found.maps["delta"], 0, atol=1e-12)


def test_every_forward_pass_has_the_same_shape():
    net, shapes = network(), []
    original = net.embed
    net.embed = lambda batch: shapes.append(tuple(batch.shape)) or original(batch)
    explain(net, images(2), images(2, seed=2), fill="gray")
    assert set(shapes) == {(pair_utilities.BATCH, 3, SIZE, SIZE)}


def test_a_pairs_map_depends_on_that_pair_alone():
    net, left, right = network(double=False), images(double=False), images(seed=2, double=False)
    together = explain(net, left, right, fill="gray").maps["delta"]
    np.testing.assert_array_equal(explain(net, left[1:2], right[1:2], fill="gray").maps["delta"][0], together[1])


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2), reference(2)))


def test_a_stride_that_skips_pixels_is_refused():
    with pytest.raises(ValidationError, match="stride 6 is larger than patch 5"):
        PairOcclusionConfig(patch=5, stride=6)
    with pytest.raises(ValueError, match="does not fit"):
        explain(network(), images(1), images(1, seed=2), patch=17, fill="gray")


def test_it_is_found_by_name():
    assert resolve("explainer", "pair_occlusion") == PairOcclusionConfig()
    assert resolve("explainer", {"name": "pair_occlusion", "fill": [0.1, 0, -1]}).fill == (0.1, 0, -1)


def test_a_tuned_method_keeps_the_theta_of_the_network_that_it_was_tuned_on():
    net, other, left, right = network(), network(seed=3), images(2), images(2, seed=2)
    method = PairOcclusionConfig(patch=5, stride=3).build()
    tuned = method.tuned(net, left, SIZE, reference())
    whole, again = (one.explain(net, left, right, SIZE, reference()) for one in (method, tuned))
    assert whole.notes == again.notes
    for name, maps in whole.maps.items():
        np.testing.assert_array_equal(again.maps[name], maps)
    theta = whole.notes["theta"]["value"]
    elsewhere = tuned.explain(other, left, right, SIZE, reference())
    fresh = method.explain(other, left, right, SIZE, reference())
    assert elsewhere.notes["theta"]["value"] == theta != fresh.notes["theta"]["value"]
    np.testing.assert_allclose(elsewhere.maps["normalized"], np.clip(elsewhere.maps["delta"] / theta, 0, 1), rtol=0, atol=1e-6)


def test_sanity_checks_embed_the_reference_pairs_once():
    net, left, right = network().eval(), images(2), images(2, seed=2)
    method, seen = PairOcclusionConfig(patch=8, stride=8).build(), []
    original = method.evaluated

    def evaluated(network, given, fill):
        seen.append(network)
        return original(network, given, fill)

    method.evaluated = evaluated
    found = check_pairs(method, net, left, right, SIZE, reference(), settings=SanityConfig(depths=2))
    assert seen == [net]
    assert set(found["flags"]) == {"delta", "normalized"}


def test_without_reference_pairs_there_is_nothing_to_tune():
    left, right = images(2), images(2, seed=2)
    tuned = PairOcclusionConfig(patch=5, stride=3, fill="gray").build().tuned(network(), left, SIZE)
    assert "unnormalized" in tuned.explain(network(), left, right, SIZE).notes
    with pytest.raises(Refused) as refused:
        PairOcclusionConfig().build().tuned(network(), left, SIZE)
    assert refused.value.code == "no_reference"


def test_two_equal_images_differ_nowhere():
    image = images(1, seed=4)
    found = explain(network(), image, image, reference())
    assert not found.maps["delta"].any()
    assert not found.maps["normalized"].any()
