from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest

from modules.attribution.theta import find, histogram, normalized


def pairs(seed=0, count=60, shift=1.0):
    generator = np.random.default_rng(seed)
    same = np.arange(count) % 3 == 0
    return np.round(generator.normal(size=count) + shift * ~same, 1), same


def naive(maxima, high):
    """(best index of Youden, highest threshold that has it) over all places between and around the values."""
    values = sorted(set(maxima))
    places = [values[0], *((a + b) / 2 for a, b in pairwise(values)), values[-1] + 1]
    scored = []
    for place in places:
        hits = sum(1 for one, is_high in zip(maxima, high, strict=True) if is_high and one >= place) / sum(high)
        false = sum(1 for one, is_high in zip(maxima, high, strict=True) if not is_high and one >= place) / (
            len(high) - sum(high)
        )
        scored.append((round(hits - false, 12), place))
    return max(scored)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("higher", ["impostor", "genuine"])
def test_theta_has_the_highest_index_of_youden(seed, higher):
    maxima, same = pairs(seed, shift=1.0 if higher == "impostor" else -1.0)
    high = same == (higher == "genuine")
    found = find(maxima, same, higher)
    youden, place = naive(maxima, high)
    assert found.youden == pytest.approx(youden, abs=1e-12)
    assert found.value == pytest.approx(place, abs=1e-12)
    assert found.higher_short == pytest.approx(np.mean(maxima[high] < found.value))
    assert found.lower_beyond == pytest.approx(np.mean(maxima[~high] >= found.value))
    wins = np.mean([(a > b) + 0.5 * (a == b) for a in maxima[high] for b in maxima[~high]])
    assert found.auc == pytest.approx(wins)
    between = [maxima[high].min() <= one <= maxima[~high].max() for one in maxima]
    assert found.overlap == pytest.approx(np.mean(between))


def test_kinds_that_are_apart_do_not_overlap():
    found = find(np.array([0.1, 0.2, 0.4, 0.6]), np.array([True, True, False, False]))
    assert asdict(found) == pytest.approx(
        {"value": 0.3, "youden": 1, "higher_short": 0, "lower_beyond": 0, "auc": 1, "overlap": 0}, abs=1e-15
    )


def test_one_kind_alone_has_no_theta():
    with pytest.raises(ValueError, match="2 of 2 reference pairs are genuine"):
        find(np.array([0.1, 0.2]), np.array([True, True]))


def test_normalized_is_equation_1():
    found = normalized(np.array([-1.0, 0.0, 0.05, 0.2, 9.0]), 0.2)
    np.testing.assert_allclose(found, [0, 0, 0.25, 1, 1], atol=1e-15)


def test_the_histogram_counts_every_value_once():
    values = np.array([[-0.5, 0.0, 0.0004], [0.0012, 0.0048, 0.0012]])
    assert histogram(values) == [3, 2, 0, 0, 1]
    assert histogram(np.zeros(0)) == []
