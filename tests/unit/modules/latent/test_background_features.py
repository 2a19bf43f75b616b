"""A planted background: exactly its features are found, and exchanged backgrounds find none."""

from typing import Any

import numpy as np
import pytest

from modules.latent.background_features import background_features

GENERATOR = np.random.default_rng(0)
IMAGES, WIDTH = 80, 24
FACE, GROUND = GENERATOR.normal(size=(2, IMAGES, WIDTH))
PLANTED = np.isin(np.arange(WIDTH), (2, 5, 11, 17))
FULL = np.where(PLANTED, GROUND, FACE) + 0.05 * GENERATOR.normal(size=(IMAGES, WIDTH))
ALONE = np.where(PLANTED, GROUND, 0.0)  # a feature of the face sees none
SUBJECTS = np.arange(IMAGES)
SETTINGS: Any = {"tau": 0.5, "quantile": 0.8, "permutations": 99, "seed": 0}


def test_exactly_the_planted_features_are_found() -> None:
    found = background_features(FULL, ALONE, SUBJECTS, **SETTINGS)
    assert np.flatnonzero(found.chosen).tolist() == [2, 5, 11, 17]
    assert found.null_mean == 0
    assert (found.p[PLANTED] == 0.01).all()
    assert (found.close[PLANTED] > 0.99).all()


def test_the_backgrounds_of_other_images_show_nothing() -> None:
    found = background_features(FULL, np.roll(ALONE, 1, axis=0), SUBJECTS, **SETTINGS)
    assert not found.chosen.any()


def test_a_feature_that_hardly_varies_is_close_and_still_not_chosen() -> None:
    full, alone = FULL.copy(), ALONE.copy()
    full[:, 0] = np.where(np.arange(IMAGES) == 7, 50.0, 0.1 * FACE[:, 0])  # one outlier makes everything else close
    alone[:, 0] = 0
    full[:, 1], alone[:, 1] = 3.0, 3.0
    found = background_features(full, alone, SUBJECTS, **SETTINGS)
    assert found.close[0] > 0.95
    assert found.close[1] == 1
    assert np.flatnonzero(found.chosen).tolist() == [2, 5, 11, 17]
    assert found.p[1] == 1


def test_a_feature_must_be_close_in_enough_images() -> None:
    full = FULL.copy()
    full[: IMAGES // 2, 2] = FACE[: IMAGES // 2, 2]  # only half of the images show the background in this feature
    found = background_features(full, ALONE, SUBJECTS, **SETTINGS)
    assert np.flatnonzero(found.chosen).tolist() == [5, 11, 17]
    assert found.p[2] <= 0.05
    assert background_features(full, ALONE, SUBJECTS, **{**SETTINGS, "quantile": 0.5}).chosen[2]


def test_features_that_only_tell_subjects_apart_are_not_chosen() -> None:
    """Backgrounds are independent of the faces, but images of one subject resemble each other in both."""
    subjects = np.repeat(np.arange(30), 10)

    def sparse(generator: np.random.Generator) -> np.ndarray:
        near = 0.2 * np.abs(generator.normal(size=(300, 64)))
        on, height = generator.random((30, 64)) < 0.08, generator.exponential(1, (30, 64))
        return on[subjects] * (height[subjects] + near) + near / 10

    tables = [np.random.default_rng(seed) for seed in range(10)]
    found = [background_features(sparse(one), sparse(one), subjects, **SETTINGS).chosen.any() for one in tables]
    assert sum(found) <= 2


def test_subjects_with_different_numbers_of_images_exchange_their_backgrounds() -> None:
    found = background_features(FULL, ALONE, np.minimum(SUBJECTS // 3, 20), **SETTINGS)
    assert np.flatnonzero(found.chosen).tolist() == [2, 5, 11, 17]


def test_two_subjects_are_too_few() -> None:
    with pytest.raises(ValueError, match="three subjects at least"):
        background_features(FULL, ALONE, SUBJECTS % 2, **SETTINGS)
