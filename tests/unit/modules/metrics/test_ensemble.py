import numpy as np
import pytest

from modules.metrics.ensemble import combined, distance_kernel


def unit(seed, n=30, size=8):
    values = np.random.default_rng(seed).normal(size=(n, size))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_the_kernel_is_minus_the_distance_of_the_embeddings():
    expected = np.zeros(30)
    cosines = []
    for network in range(3):
        x, y = unit(2 * network), unit(2 * network + 1)
        cosines.append((x * y).sum(1))
        for row in range(30):
            expected[row] -= np.linalg.norm(x[row] - y[row])
    np.testing.assert_allclose(combined(cosines), expected, atol=1e-12)
    np.testing.assert_allclose(combined(cosines[:1]), -np.linalg.norm(unit(0) - unit(1), axis=1), atol=1e-12)
    np.testing.assert_allclose(combined(cosines), combined(cosines[::-1]), atol=1e-12)


def test_one_network_keeps_its_order():
    cosines = np.random.default_rng(0).uniform(-1, 1, 50)
    assert np.argsort(combined([cosines])).tolist() == np.argsort(cosines).tolist()


def test_a_cosine_that_rounding_put_above_one_is_one():
    assert distance_kernel(np.float32([1.0000001, 1, -1])).tolist() == [0.0, 0.0, -2.0]


@pytest.mark.parametrize("bad", [1.1, -1.1, np.nan, np.inf])
def test_what_is_no_cosine_is_named(bad):
    with pytest.raises(ValueError, match=r"row 1 is .* no cosine"):
        combined([np.zeros(3), np.array([0, bad, 0])])


@pytest.mark.parametrize(("scores", "words"), [([], "one network"), ([np.zeros(3), np.zeros(2)], r"\[3, 2\] pairs")])
def test_traps_are_refused(scores, words):
    with pytest.raises(ValueError, match=words):
        combined(scores)
