import numpy as np
import pytest
import torch
from pair_networks import SIZE, Bright, images, network, unchanged
from scipy import stats
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.explainers.corr_rise import CorrRISEConfig

SMALL = {"masks": 40, "squares": 2, "side": 5}


def explain(net, left, right, **fields):
    return CorrRISEConfig(**{**SMALL, **fields}).build().explain(net, left, right, SIZE)


def literal(net, image, other, seen, masked):
    """Spearman's correlation pixel by pixel, each pixel's values ranked."""
    scores = []
    for mask in seen:
        shown = torch.from_numpy(mask).double()
        hidden = [one * shown - (1 - shown) for one in (image, other)]
        second = hidden[1] if masked else other
        scores.append(float(nn.functional.cosine_similarity(*(net.embed(one[None])[0] for one in (hidden[0], second)), dim=0)))
    out = np.zeros((SIZE, SIZE))
    for y in range(SIZE):
        for x in range(SIZE):
            column = seen[:, y, x].astype(float)
            if 0 < column.sum() < len(column):
                out[y, x] = np.corrcoef(stats.rankdata(scores), stats.rankdata(column))[0, 1]
    return out


@pytest.mark.parametrize("other", ["whole", "masked"])
def test_maps_are_the_rank_correlation_of_every_pixel(other):
    net, left, right = network(), images(2), images(2, seed=2)
    found = explain(net, left, right, other=other)
    seen = CorrRISEConfig(**SMALL).build().draw((SIZE, SIZE)).numpy()
    net.eval()
    with torch.no_grad():
        for pair in range(2):
            for side, both in enumerate([(left[pair], right[pair]), (right[pair], left[pair])]):
                expected = literal(net, *both, seen, other == "masked")
                np.testing.assert_allclose(found.maps["S+"][pair, side], np.maximum(expected, 0), atol=1e-7)
                np.testing.assert_allclose(found.maps["S-"][pair, side], np.maximum(-expected, 0), atol=1e-7)
                assert expected.min() < -0.1 < 0.1 < expected.max()
    assert set(found.maps) - {"S+"} == CorrRISEConfig().difference_maps


def test_masks_are_whole_squares_and_a_function_of_the_seed():
    one, again, other = (
        CorrRISEConfig(masks=50, squares=1, side=6, seed=seed).build().draw((16, 20)).numpy() for seed in (1, 1, 2)
    )
    assert one.shape == (50, 16, 20)
    assert ((~one).sum((1, 2)) == 36).all()
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    many = CorrRISEConfig(masks=2000, squares=1, side=6).build().draw((16, 20)).numpy()
    assert not many.all(0).any()  # squares reach every border


def test_a_planted_difference_is_dissimilar_and_what_is_shared_is_similar():
    left = torch.full((1, 3, SIZE, SIZE), -0.9, dtype=torch.float64)
    left[:, :, 0:4, 0:4] = 0.5
    right = left.clone()
    right[:, :, 8:12, 4:8] = 1
    found = explain(Bright(), left, right, masks=400)
    differs = np.unravel_index(found.maps["S-"][0, 1].argmax(), (SIZE, SIZE))
    assert 7 <= differs[0] <= 12
    assert 3 <= differs[1] <= 8
    alike = np.unravel_index(found.maps["S+"][0, 1].argmax(), (SIZE, SIZE))
    assert max(alike) <= 5


def test_swapping_the_images_swaps_the_maps():
    net, left, right = network(), images(2), images(2, seed=2)
    one, other = explain(net, left, right), explain(net, right, left)
    for name in ("S+", "S-"):
        np.testing.assert_array_equal(one.maps[name], other.maps[name][:, ::-1])


def test_images_masked_alike_share_a_map():
    found = explain(network(), images(1), images(1, seed=2), other="masked")
    np.testing.assert_array_equal(found.maps["S+"][:, 0], found.maps["S+"][:, 1])


@pytest.mark.parametrize("double", [True, False])
def test_scores_that_do_not_change_have_no_correlation(double):
    net = network(double=double)
    nn.init.zeros_(net.head.linear.weight)
    found = explain(net, images(1, double=double), images(1, seed=2, double=double))
    assert found.notes["constant_scores"] == [[0, 0], [0, 1]]
    assert not found.maps["S+"].any()
    assert not found.maps["S-"].any()


def test_pixels_that_are_never_hidden_are_counted():
    found = explain(network(), images(1), images(1, seed=2), masks=2, squares=1)
    seen = CorrRISEConfig(masks=2, squares=1, side=5).build().draw((SIZE, SIZE)).numpy()
    assert found.notes["undefined_pixels"] == int((seen.sum(0) != 1).sum())


def test_a_square_larger_than_the_image_is_refused():
    with pytest.raises(Refused, match="a square of 17 pixels does not fit into 16 x 16") as refused:
        explain(network(), images(1), images(1), side=17)
    assert refused.value.code == "square_too_large"


def test_the_mean_color_needs_a_reference():
    with pytest.raises(Refused) as caught:
        explain(network(), images(1), images(1), fill="mean")
    assert caught.value.code == "no_reference"


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(net, lambda: explain(net, images(1), images(1, seed=2)))


def test_it_is_found_by_name():
    assert resolve("explainer", "corr_rise") == CorrRISEConfig()


def test_masks_are_the_squares_drawn_one_by_one():
    config = CorrRISEConfig(masks=20, squares=4, side=6, seed=3)
    generator = np.random.Generator(np.random.PCG64(3))
    rows, columns = (generator.integers(0, side - 5, (20, 4)) for side in (16, 20))
    expected = np.ones((20, 16, 20), bool)
    for mask in range(20):
        for row, column in zip(rows[mask], columns[mask], strict=True):
            expected[mask, row : row + 6, column : column + 6] = False
    np.testing.assert_array_equal(config.build().draw((16, 20)).numpy(), expected)
