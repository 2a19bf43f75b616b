"""A planted background: exactly its features are found, and exchanged backgrounds find none."""

import numpy as np
import pytest

from modules.latent.background_features import background_features

GENERATOR = np.random.default_rng(0)
IMAGES, WIDTH = 80, 24
FACE, GROUND = GENERATOR.normal(size=(2, IMAGES, WIDTH))
PLANTED = np.isin(np.arange(WIDTH), (2, 5, 11, 17))
FULL = np.where(PLANTED, GROUND, FACE) + 0.05 * GENERATOR.normal(size=(IMAGES, WIDTH))
ALONE = np.where(PLANTED, GROUND, 0.0)  # a feature of the face sees none
SETTINGS = {"tau": 0.5, "quantile": 0.8, "permutations": 99, "seed": 0}


def test_exactly_the_planted_features_are_found() -> None:
    found = background_features(FULL, ALONE, **SETTINGS)
    assert np.flatnonzero(found.chosen).tolist() == [2, 5, 11, 17]
    assert found.null_mean == 0
    assert (found.p[PLANTED] == 0.01).all()
    assert (found.close[PLANTED] > 0.99).all()


def test_the_backgrounds_of_other_images_show_nothing() -> None:
    found = background_features(FULL, np.roll(ALONE, 1, axis=0), **SETTINGS)
    assert not found.chosen.any()


def test_a_feature_that_hardly_varies_is_close_and_still_not_chosen() -> None:
    full, alone = FULL.copy(), ALONE.copy()
    full[:, 0] = np.where(np.arange(IMAGES) == 7, 50.0, 0.1 * FACE[:, 0])  # one outlier makes everything else close
    alone[:, 0] = 0
    full[:, 1], alone[:, 1] = 3.0, 3.0
    found = background_features(full, alone, **SETTINGS)
    assert found.close[0] > 0.95
    assert found.close[1] == 1
    assert np.flatnonzero(found.chosen).tolist() == [2, 5, 11, 17]
    assert found.p[1] == 1


def test_a_feature_must_be_close_in_enough_images() -> None:
    full = FULL.copy()
    full[: IMAGES // 2, 2] = FACE[: IMAGES // 2, 2]  # only half of the images show the background in this feature
    found = background_features(full, ALONE, **SETTINGS)
    assert np.flatnonzero(found.chosen).tolist() == [5, 11, 17]
    assert found.p[2] <= 0.05
    assert background_features(full, ALONE, **{**SETTINGS, "quantile": 0.5}).chosen[2]


def test_two_images_are_too_few() -> None:
    with pytest.raises(ValueError, match="three images at least"):
        background_features(FULL[:2], ALONE[:2], **SETTINGS)
