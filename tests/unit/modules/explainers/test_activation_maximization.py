import numpy as np
import pytest
import torch
from small_classifier import SmallClassifier

from configs.lookup import resolve
from modules.attribution.activation_maximization import Prior, maximize
from modules.attribution.explainer import Attribution, Refused
from modules.attribution.targets import ClassLogit
from modules.explainers.activation_maximization import ActivationMaximizationConfig

NET = SmallClassifier(16, 12)
IMAGES = torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0)) - 0.5
TARGET = ClassLogit(torch.tensor([1, 3]))


@pytest.mark.parametrize("start", ["noise", "image"])
def test_the_map_is_the_change_from_the_start_and_the_image_goes_along(start):
    found = ActivationMaximizationConfig(start=start, steps=30, seed=2).build().explain(NET, IMAGES, TARGET, (16, 12))
    direct = maximize(NET, TARGET, (16, 12), 30, 2, Prior(), IMAGES if start == "image" else None)
    np.testing.assert_array_equal(found.generated, direct.generated.numpy())
    np.testing.assert_allclose(found.maps, np.abs(direct.generated.numpy() - direct.starts.numpy()).mean(1), atol=1e-7)
    assert found.generated.shape == (2, 3, 16, 12)
    assert all(after > before for before, after in zip(found.notes["scores_before"], found.notes["scores_after"], strict=True))
    assert found.notes["not_risen"] == []


def test_the_config_has_the_defaults_of_the_prior():
    names = ("alpha", "alpha_weight", "beta", "tv_weight", "jitter", "rate", "momentum")
    assert Prior(**{name: getattr(ActivationMaximizationConfig(), name) for name in names}) == Prior()


def test_from_noise_the_image_plays_no_part():
    explainer = ActivationMaximizationConfig(steps=3).build()
    one = explainer.explain(NET, IMAGES, TARGET, (16, 12)).maps
    np.testing.assert_array_equal(one, explainer.explain(NET, -IMAGES, TARGET, (16, 12)).maps)


def test_a_score_that_did_not_rise_is_noted():
    found = ActivationMaximizationConfig(steps=1, rate=1e-30).build().explain(NET, IMAGES, TARGET, (16, 12))
    assert found.notes["not_risen"] == [0, 1]


def test_images_with_nan_are_refused():
    maps, generated = np.zeros((1, 2, 2), np.float32), np.full((1, 3, 2, 2), np.nan, np.float32)
    with pytest.raises(Refused) as caught:
        Attribution(maps, "", (3, 2, 2), "x", generated=generated)
    assert caught.value.code == "not_finite"


def test_it_is_found_by_name():
    assert resolve("explainer", "activation_maximization") == ActivationMaximizationConfig()
