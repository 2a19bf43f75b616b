import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.lime import LIMEConfig, kernel, painted, ridge, subsets, superpixels


class Patch(nn.Module):
    """Class 1 looks at red in the upper left quarter alone; class 0 at its opposite."""

    def __init__(self):
        super().__init__()
        self.loss = Loss()
        self.drop = nn.Dropout(0.9)

    def embed(self, images):
        seen = self.drop(images)[:, 0, :12, :12].mean((1, 2))
        return torch.stack([-seen, seen, seen * 0 + 1], 1)


def images(count=2, dtype=torch.float64):
    """A red quarter on a mottled ground."""
    found = torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.1 - 0.8
    found[:, 0, :12, :12] += 1.4
    return found.to(dtype)


def test_superpixels_are_numbered_without_gaps_and_follow_the_image():
    parts = superpixels(images(1)[0], 16, 10.0, 1.0)
    assert parts.shape == (24, 24)
    assert set(parts.ravel()) == set(range(parts.max() + 1))
    assert len(set(parts[:11, :11].ravel()) & set(parts[13:, 13:].ravel())) == 0
    np.testing.assert_array_equal(parts, superpixels(images(1)[0], 16, 10.0, 1.0))


def test_a_constant_image_has_superpixels_and_a_map_of_zeros():
    found = (
        LIMEConfig(segments=9, samples=30)
        .build()
        .explain(Patch(), torch.zeros(1, 3, 24, 24), ClassLogit(torch.tensor([1])), 24)
    )
    assert found.notes["superpixels"][0] > 1
    assert not found.maps.any()
    assert found.notes["r2"] == [1.0]


def test_one_superpixel_is_refused():
    with pytest.raises(Refused) as caught:
        superpixels(torch.zeros(3, 1, 1), 2, 10.0, 1.0)
    assert caught.value.code == "one_segment"


def test_the_regression_is_the_weighted_least_squares_of_its_definition():
    """As least squares of stacked rows: roots of the weights times the design, and the penalty's rows."""
    kept = subsets(40, 6, 0.5, 3)
    scores = np.random.default_rng(0).normal(size=40)
    weights = kernel(kept, 0.25)
    found, fit = ridge(kept, scores, weights, 0.7)
    rows = np.concatenate([np.c_[kept, np.ones(40)] * np.sqrt(weights)[:, None], np.sqrt(0.7) * np.eye(6, 7)])
    wanted = np.concatenate([scores * np.sqrt(weights), np.zeros(6)])
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    np.testing.assert_allclose(found, expected[:6], atol=1e-12)
    left = weights @ (scores - kept @ expected[:6] - expected[6]) ** 2
    mean = weights @ scores / weights.sum()
    assert fit == pytest.approx(1 - left / (weights @ (scores - mean) ** 2), abs=1e-12)


def test_the_first_subset_keeps_all_and_the_others_their_share():
    kept = subsets(4000, 5, 0.3, 0)
    assert kept[0].all()
    assert kept[1:].mean() == pytest.approx(0.3, abs=0.01)


def test_the_kernel_is_that_of_the_cosine_distance():
    kept = subsets(20, 7, 0.5, 1)
    kept[3] = False
    for row, weight in zip(kept, kernel(kept, 0.3), strict=True):
        cosine = row @ np.ones(7) / (np.linalg.norm(row) * 7**0.5) if row.any() else 0.0
        assert weight == pytest.approx(np.exp(-((1 - cosine) ** 2) / 0.3**2) ** 0.5, abs=1e-12)


@pytest.mark.parametrize("fill", ["image", "segment"])
def test_altered_images_are_painted_over_pixel_by_pixel(fill):
    image, network = images(1)[0], Patch().eval()
    parts = superpixels(image, 9, 10.0, 1.0)
    kept = subsets(10, parts.max() + 1, 0.5, 0)
    found = LIMEConfig(fill=fill, batch=4).build().scores(network, image, parts, kept, ClassLogit(torch.tensor([1])))
    for row, score in zip(kept, found, strict=True):
        altered = image.clone()
        for i in range(24):
            for j in range(24):
                if not row[parts[i, j]]:
                    where = torch.ones(24, 24, dtype=bool) if fill == "image" else torch.from_numpy(parts == parts[i, j])
                    for color in range(3):
                        altered[color, i, j] = image[color][where].mean()
        assert score == pytest.approx(float(network.embed(altered[None])[0, 1]), abs=1e-12)


def test_paint_is_the_mean_of_each_part():
    image, parts = images(1)[0], torch.arange(24 * 24).reshape(24, 24) // 192
    found = painted(image, parts, "segment")
    assert torch.allclose(found[:, 3, 3], image[:, :8].mean((1, 2)))


def test_it_agrees_with_captum():
    """The same subsets, kernel and penalty, through captum's and scikit-learn's own code."""
    from captum.attr import LimeBase
    from sklearn.linear_model import Ridge

    image, network = images(1), Patch().eval()
    config = LIMEConfig(segments=9, samples=60)
    parts = superpixels(image[0], 9, 10.0, 1.0)
    kept = subsets(60, parts.max() + 1, 0.5, 0)
    weights = iter(kernel(kept, 0.25))

    class Model:
        def fit(self, loader):
            ((design, scores, weight),) = list(loader)
            self.inner = Ridge(alpha=1.0).fit(design.numpy(), scores.numpy(), sample_weight=weight.numpy())
            return {}

        def representation(self):
            return torch.from_numpy(self.inner.coef_)[None]

    def rows(*_, **__):
        yield from (torch.from_numpy(row)[None].double() for row in kept)

    def show(row, original, **_):
        shown = row.bool()[0][torch.from_numpy(parts)]
        return torch.where(shown, original, original.mean((2, 3), keepdim=True))

    peer = LimeBase(
        lambda given: network.embed(given)[:, 1],
        Model(),
        lambda *_, **__: torch.tensor([next(weights)]),
        rows,
        perturb_interpretable_space=True,
        from_interp_rep_transform=show,
        to_interp_rep_transform=None,
    )
    expected = peer.attribute(image, n_samples=60)[0].numpy()
    found = config.build().explain(network, image, ClassLogit(torch.tensor([1])), 24).maps[0]
    np.testing.assert_allclose(found, expected[parts], rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("target", [ClassLogit(torch.tensor([1, 1])), Cosine(torch.tensor([[0.0, 1.0, 0.0]] * 2))])
def test_the_planted_patch_is_found(target):
    found = LIMEConfig(segments=16, samples=300).build().explain(Patch(), images(dtype=torch.float32), target, 24)
    for one in found.maps:
        top, left = np.unravel_index(one.argmax(), (24, 24))
        assert top < 13
        assert left < 13
        assert one[:11, :11].mean() > 5 * np.abs(one[13:, 13:]).mean()
    assert found.signed
    assert found.maps.dtype == np.float32
    opposite = (
        LIMEConfig(segments=16, samples=300)
        .build()
        .explain(Patch(), images(dtype=torch.float32), ClassLogit(torch.tensor([0, 0])), 24)
    )
    assert opposite.maps[0, :11, :11].mean() < 0


def test_what_does_not_apply_is_refused():
    with pytest.raises(Refused) as caught:
        LIMEConfig(score="probability").build().explain(Patch(), images(), Cosine(torch.ones(2, 3)), 24)
    assert caught.value.code == "no_probability"
    network = Patch()
    network.embed = lambda given: given.mean((2, 3)) * 0
    with pytest.raises(Refused) as caught:
        LIMEConfig(segments=4, samples=4).build().explain(network, images(), Cosine(torch.ones(2, 3)), 24)
    assert caught.value.code == "not_finite"


def test_a_map_does_not_depend_on_the_other_images_and_the_network_is_left_as_it_was():
    explainer, given, network = LIMEConfig(segments=9, samples=20, batch=8).build(), images(3), Patch().train()
    target = ClassLogit(torch.tensor([1, 0, 1]))
    together = explainer.explain(network, given, target, 24).maps
    for row in range(3):
        alone = explainer.explain(network, given[row : row + 1], target.take([row]), 24).maps
        np.testing.assert_array_equal(alone[0], together[row])
    assert network.training
    assert network.drop.training


def test_it_is_found_by_name():
    assert resolve("explainer", "lime") == LIMEConfig()
