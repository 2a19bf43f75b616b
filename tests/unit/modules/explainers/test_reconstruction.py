import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network, unchanged
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Reference, Refused
from modules.attribution.linear_heads import LinearHead
from modules.explainers.reconstruction import ReconstructionConfig


def explain(net, left, right, reference=None, **fields):
    return ReconstructionConfig(**fields).build().explain(net, left, right, SIZE, reference)


def literal(net, image, other, threshold, subtract="share", masking="per_channel", norm="l2"):
    """Algorithm 1, a full decode for each channel, numbers added one by one."""
    net.eval()
    with torch.no_grad():
        maps = [net.features(one[None])[0] for one in (image, other)]
        vectors = [np.array([float(channel.max()) for channel in one]) for one in maps]
        first, second = (vector / np.sqrt((vector**2).sum()) for vector in vectors)
        features = maps[0]
        original = net.decoder(features[None])[0].numpy()
        height, width = original.shape[1:]
        total = np.zeros((height, width))
        masked = features.clone()
        for channel in range(len(features)):
            if masking == "per_channel":
                masked = features.clone()
            best = None
            for row in range(features.shape[1]):
                for column in range(features.shape[2]):
                    if best is None or features[channel, row, column] > features[(channel, *best)]:
                        best = (row, column)
            masked[(channel, *best)] = 0
            rebuilt = net.decoder(masked[None])[0].numpy()
            residual = np.zeros((height, width))
            for color in range(3):
                residual += abs(original[color] - rebuilt[color]) / 3
            if norm == "l2":
                residual = residual / np.sqrt((residual**2).sum())
            else:
                residual = (residual - residual.min()) / (residual.max() - residual.min())
            less = {
                "literal": threshold,
                "share": threshold / len(features),
                "energy": threshold * (first[channel] ** 2 + second[channel] ** 2) / 2,
            }[subtract]
            total += residual * (first[channel] * second[channel] - less)
    return total


@pytest.fixture
def decoding(monkeypatch):
    """The maps as float64, as they are before they are stored."""
    from modules.attribution import decoder_residuals

    kept = []
    original = decoder_residuals.weighted
    monkeypatch.setattr(decoder_residuals, "weighted", lambda *args: kept.append(original(*args)) or kept[-1])
    return kept


@pytest.mark.parametrize("norm", ["l2", "min_max"])
@pytest.mark.parametrize("masking", ["per_channel", "cumulative"])
@pytest.mark.parametrize("subtract", ["share", "literal", "energy"])
@pytest.mark.parametrize("full", [False, True])
def test_maps_are_algorithm_1(decoding, subtract, masking, norm, full):
    net = network("gmp", decodes=True)
    if full:
        net.decoder = nn.Sequential(net.decoder)  # not known, so decoded as a whole
    left, right = images(2, seed=1), images(2, seed=2)
    found = explain(net, left, right, threshold=0.3, subtract=subtract, masking=masking, norm=norm)
    assert found.notes["decode"] == ("full" if full else "incremental")
    for pair in range(2):
        for side, both in enumerate([(left[pair], right[pair]), (right[pair], left[pair])]):
            expected = literal(net, *both, 0.3, subtract, masking, norm)
            np.testing.assert_allclose(decoding[2 * pair + side][0], expected, rtol=0, atol=1e-12)
            total = found.maps["S+"][pair, side] - found.maps["S-"][pair, side]
            np.testing.assert_allclose(total, expected, rtol=1e-6, atol=1e-7)
            np.testing.assert_array_equal(found.maps["S"][pair, side], np.abs(total))
            assert np.abs(expected).max() > 1e-3


def test_weights_and_threshold_sum_to_the_margin():
    net = network("gmp", decodes=True)
    features = [net.eval().features(image[None])[0].detach() for image in images(2)]
    weights, cosine = ReconstructionConfig(threshold=0.2).build().weights(features, 0.2)
    vectors = [one.amax((1, 2)) for one in features]
    assert cosine == pytest.approx(float(nn.functional.cosine_similarity(*vectors, dim=0)), abs=1e-14)
    assert float(weights.sum()) == pytest.approx(cosine - 0.2, abs=1e-14)
    assert float(ReconstructionConfig(subtract="literal").build().weights(features, 0.2)[0].sum()) == pytest.approx(
        cosine - 1.2, abs=1e-13
    )


def test_by_energy_a_channel_that_both_lack_has_no_weight_and_what_one_lacks_is_dissimilar():
    vectors = torch.tensor([[2.0, 0.0, 1.0, 0.0, 1.0], [2.0, 0.0, 0.0, 1.0, 3.0]], dtype=torch.float64)
    features = [one[:, None, None].expand(-1, 2, 2) for one in vectors]

    def weights(subtract):
        return ReconstructionConfig(subtract=subtract).build().weights(features, 0.7)

    (shared, cosine), (energy, _) = weights("share"), weights("energy")
    assert float(energy.sum()) == pytest.approx(cosine - 0.7, abs=1e-14)
    assert np.sign(energy.tolist()).tolist() == [1, 0, -1, -1, 1]
    assert np.sign(shared.tolist()).tolist() == [1, -1, -1, -1, 1]


def test_by_energy_needs_a_channel_s_own_number():
    with pytest.raises(ValueError, match=r"subtract: energy .* head: max_pooled"):
        ReconstructionConfig(subtract="energy", head="linear")


def test_swapping_the_images_swaps_the_maps():
    net, left, right = network("gmp", decodes=True), images(seed=1), images(seed=2)
    one, other = explain(net, left, right, threshold=0.1), explain(net, right, left, threshold=0.1)
    for name in ("S", "S+", "S-"):
        np.testing.assert_array_equal(one.maps[name], other.maps[name][:, ::-1])


def test_an_image_with_itself_has_no_dissimilar_part_at_threshold_0():
    net, one = network("gmp", decodes=True), images()
    found = explain(net, one, one, threshold=0)
    assert not found.maps["S-"].any()
    assert ReconstructionConfig().difference_maps == {"S-"}
    assert found.maps["S+"].any()
    np.testing.assert_allclose(found.cosines, 1, atol=1e-7)


def test_a_channel_that_the_decoder_does_not_see_adds_nothing():
    net = network("gmp", decodes=True)
    with torch.no_grad():
        net.decoder.layers[0][0].weight[2] = 0
    found = explain(net, images(1), images(1, seed=2), threshold=0)
    assert found.notes["dead_channels"] == [[1, 1]]
    assert all(np.isfinite(one).all() for one in found.maps.values())


def test_the_first_of_equal_maxima_is_masked():
    from modules.attribution import decoder_residuals

    net = network("gmp", decodes=True).eval()
    features = torch.zeros(6, 4, 4, dtype=torch.float64)
    features[1, 1, 2] = features[1, 3, 3] = 1.0
    weights = torch.zeros(6, dtype=torch.float64)
    weights[1] = 1
    with torch.no_grad():
        total, dead = decoder_residuals.weighted(net.decoder, features, weights, "per_channel", "l2")
        changed = features.clone()
        changed[1, 1, 2] = 0
        expected = (net.decoder(changed[None]) - net.decoder(features[None]))[0].abs().mean(0)
    np.testing.assert_allclose(total, (expected / expected.norm()).numpy(), atol=1e-12)
    assert dead == 5  # a zero set to zero changes nothing


def test_the_threshold_is_that_of_the_reference():
    net = network("gmp", decodes=True)
    left, right = images(4, seed=5), images(4, seed=6)
    with torch.no_grad():
        net.eval()
        scores = nn.functional.cosine_similarity(net.embed(left), net.embed(right))
        net.train()
    low, high = scores.sort().values[1:3].tolist()
    reference = Reference(left, right, scores >= high, torch.zeros(3))
    found = explain(net, images(1), images(1, seed=2), reference)
    assert found.notes["threshold"] == pytest.approx((low + high) / 2, abs=1e-12)


def refusal(net, code, reference=None, **fields):
    with pytest.raises(Refused) as caught:
        explain(net, images(1), images(1, seed=2), reference, **fields)
    assert caught.value.code == code


def test_what_does_not_apply_is_refused():
    refusal(network("gmp"), "no_decoder", threshold=0)
    refusal(network("gap_bn", decodes=True), "not_max_pooled", threshold=0)
    refusal(network("gmp", decodes=True), "no_reference")
    dark = network("gmp", decodes=True)
    nn.init.zeros_(dark.backbone.two[1].weight)
    nn.init.zeros_(dark.backbone.two[1].bias)
    refusal(dark, "zero_norm", threshold=0)


def test_constant_images_have_finite_maps():
    net = network("gmp", decodes=True)
    flat = torch.full((1, 3, SIZE, SIZE), 0.3, dtype=torch.float64)
    found = explain(net, flat, flat, threshold=0.2)
    assert all(np.isfinite(one).all() for one in found.maps.values())


def test_the_network_is_left_as_it_was():
    net = network("gmp", decodes=True)
    unchanged(net, lambda: explain(net, images(), images(seed=2), threshold=0.1))


def test_a_pairs_maps_depend_on_that_pair_alone():
    net, left, right = network("gmp", decodes=True, double=False), images(double=False), images(seed=2, double=False)
    together = explain(net, left, right, threshold=0.1).maps["S"]
    np.testing.assert_array_equal(explain(net, left[2:], right[2:], threshold=0.1).maps["S"][0], together[2])


def test_it_is_found_by_name():
    assert resolve("explainer", "reconstruction") == ReconstructionConfig()


# -- heads that are linear in the map


def literal_linear(net, image, other, threshold, subtract="share", norm="l2"):
    """Each channel's share from maps in which one cell alone is not zero; then a full decode for each channel."""
    net.eval()
    with torch.no_grad():
        features = net.features(image[None])[0]
        embedding, against = net.head(features[None])[0], net.embed(other[None])[0]
        direction = against / (embedding.norm() * against.norm())
        nothing = float(net.head(torch.zeros_like(features)[None])[0] @ direction)
        original = net.decoder(features[None])[0].numpy()
        total, shares = np.zeros(original.shape[1:]), []
        for channel in range(len(features)):
            parts = {}
            for row in range(features.shape[1]):
                for column in range(features.shape[2]):
                    alone = torch.zeros_like(features)
                    alone[channel, row, column] = features[channel, row, column]
                    parts[row, column] = float(net.head(alone[None])[0] @ direction) - nothing
            share = sum(parts.values())
            shares.append(share)
            best = max(parts, key=lambda cell: parts[cell] if share > 0 else -parts[cell])
            masked = features.clone()
            masked[(channel, *best)] = 0
            residual = np.abs(original - net.decoder(masked[None])[0].numpy()).mean(0)
            residual = residual / np.sqrt((residual**2).sum()) if norm == "l2" else _stretched(residual)
            less = threshold - nothing
            total += residual * (share - (less if subtract == "literal" else less / len(features)))
        return total, shares, nothing


def _stretched(residual):
    return (residual - residual.min()) / (residual.max() - residual.min())


@pytest.mark.parametrize("norm", ["l2", "min_max"])
@pytest.mark.parametrize("subtract", ["share", "literal"])
@pytest.mark.parametrize("kind", ["gap_bn", "fc_bn", "gdc", "gmp"])
def test_linear_maps_are_the_loop_over_channels_and_cells(decoding, kind, subtract, norm):
    net = network(kind, decodes=True)
    left, right = images(2, seed=1), images(2, seed=2)
    found = explain(net, left, right, threshold=0.3, subtract=subtract, norm=norm, head="linear")
    for pair in range(2):
        for side, both in enumerate([(left[pair], right[pair]), (right[pair], left[pair])]):
            if kind == "gmp":
                expected, nothing = literal(net, *both, 0.3, subtract, norm=norm), 0.0
            else:
                expected, shares, nothing = literal_linear(net, *both, 0.3, subtract, norm)
                assert sum(shares) + nothing == pytest.approx(float(found.cosines[pair]), abs=1e-6)
                assert min(shares) < 0 < max(shares), "both signs are to be seen"
            np.testing.assert_allclose(decoding[2 * pair + side][0], expected, rtol=0, atol=1e-12)
            assert found.notes["bias"][pair][side] == pytest.approx(nothing, abs=1e-12)
            assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("kind", ["gap_bn", "fc_bn", "gdc", "l2", "l2_flatten", "gmp"])
def test_linear_shares_and_the_bias_sum_to_the_cosine(kind):
    net = network(kind, decodes=True).eval()
    features = [net.features(image[None])[0].detach() for image in images(2)]
    with torch.no_grad():
        vectors = [net.head(one[None])[0] for one in features]
        expected = float(nn.functional.cosine_similarity(*vectors, dim=0))
        sides, cosine = ReconstructionConfig(head="linear").build().linear(LinearHead(net.head), features, 0.2)
    assert cosine == pytest.approx(expected, abs=1e-14)
    for side in sides:
        assert float(side.weights.sum()) == pytest.approx(cosine - 0.2, abs=1e-14)
        shares = side.weights + (0.2 - side.bias) / len(side.weights)
        assert float(shares.sum()) + side.bias == pytest.approx(cosine, abs=1e-14)


def test_a_head_that_is_not_linear_is_refused_and_the_way_out_is_named():
    refusal(network("l2_max", decodes=True), "not_linear_head", threshold=0, head="linear")
    with pytest.raises(Refused, match="head: linear divides the cosine"):
        explain(network("gdc", decodes=True), images(1), images(1), threshold=0)


def test_the_papers_reading_keeps_its_identity():
    assert "head" not in ReconstructionConfig().identity()
    assert ReconstructionConfig(head="linear").identity()["head"] == "linear"
