"""The explained share of a dimension against its naive formula, and the correction for the number of dimensions."""

import numpy as np
import pytest

from modules.latent import single_dimensions
from modules.latent.attribute_labels import Attribute
from modules.latent.single_dimensions import share_interval, shares

GENERATOR = np.random.default_rng(0)
SUBJECTS = np.repeat(np.arange(40), 3)
CLASSES = np.repeat(np.arange(40) % 2, 3)
YEARS = np.repeat(GENERATOR.uniform(20, 80, 40), 3)
VECTORS = 5 + GENERATOR.normal(size=(120, 8))
VECTORS[:, 3] += 2 * CLASSES
VECTORS[:, 6] += YEARS / 15
VECTORS[:, 7] = 1.5  # constant
GENDER, AGE = Attribute("gender", CLASSES, ("x", "y")), Attribute("age", YEARS, None)


def test_the_share_is_between_over_total_variance() -> None:
    found = shares(VECTORS, GENDER, SUBJECTS, 19, 0)
    for dimension in range(7):
        x = VECTORS[:, dimension]
        groups = [x[one == CLASSES] for one in (0, 1)]
        between = sum(len(group) * (group.mean() - x.mean()) ** 2 for group in groups)
        assert found.values[dimension] == pytest.approx(between / ((x - x.mean()) ** 2).sum())
    assert found.values[7] == 0


def test_the_share_of_a_number_is_the_squared_correlation() -> None:
    found = shares(VECTORS, AGE, SUBJECTS, 19, 0)
    for dimension in range(7):
        assert found.values[dimension] == pytest.approx(np.corrcoef(VECTORS[:, dimension], YEARS)[0, 1] ** 2)


def test_exactly_the_planted_dimensions_carry_the_attributes() -> None:
    assert shares(VECTORS, GENDER, SUBJECTS, 99, 0).carrying.tolist() == [3]
    assert shares(VECTORS, AGE, SUBJECTS, 99, 0).carrying.tolist() == [6]


def test_noise_carries_nothing_because_the_largest_share_is_the_null() -> None:
    noise = np.random.default_rng(3).normal(size=(120, 200))
    found = shares(noise, GENDER, SUBJECTS, 99, 0)
    assert found.carrying.tolist() == []
    assert found.values.max() > 0.03  # one of 200 looks related, and is not
    assert found.values.max() < found.threshold


@pytest.mark.parametrize(("attribute", "dimension"), [(GENDER, 3), (AGE, 6), (GENDER, 0)])
def test_the_interval_is_around_the_share(attribute: Attribute, dimension: int) -> None:
    about = share_interval(VECTORS, attribute, SUBJECTS, dimension, 300, 0)
    assert about["value"] == pytest.approx(shares(VECTORS, attribute, SUBJECTS, 1, 0).values[dimension])
    assert 0 <= about["low"] <= about["value"] <= about["high"] <= 1
    assert about["high"] - about["low"] > 0.02


def test_the_share_of_a_resample_is_that_of_its_images() -> None:
    rows = np.random.default_rng(5).integers(0, 120, 70)
    x, kinds, years = VECTORS[rows, 3], CLASSES[rows], YEARS[rows]
    of_class = (kinds[:, None] == np.arange(2)).astype(float)
    sums = np.concatenate([of_class, of_class * x[:, None], (x * x)[:, None]], axis=1).sum(0)[None]
    groups = [x[kinds == one] for one in (0, 1)]
    between = sum(len(group) * (group.mean() - x.mean()) ** 2 for group in groups)
    assert single_dimensions._correlation_ratio(sums)[0] == pytest.approx(between / ((x - x.mean()) ** 2).sum())
    sums = np.stack([np.ones(70), x, x * x, years, years * years, x * years], axis=1).sum(0)[None]
    assert single_dimensions._squared_correlation(sums)[0] == pytest.approx(np.corrcoef(x, years)[0, 1] ** 2)
