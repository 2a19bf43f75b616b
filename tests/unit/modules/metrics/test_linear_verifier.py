import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from modules.metrics.linear_verifier import FEATURES, chi_square, fit


def data(n=200, size=5, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, size)) * [1, 10, 0.1, 1, 0][:size] + 3
    same = features[:, 0] + 0.1 * features[:, 1] + rng.normal(size=n) > 6.5
    return features, same


def loss_of(values, inputs, signs, loss, penalty):
    total = penalty / 2 * sum(w * w for w in values[:-1])
    for row, sign in zip(inputs, signs, strict=True):
        margin = sign * (row @ values[:-1] + values[-1])
        total += np.log(1 + np.exp(-margin)) if loss == "logistic" else max(0, 1 - margin) ** 2
    return total


@pytest.mark.parametrize("loss", ["logistic", "svm"])
@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_the_fit_is_the_minimum_and_that_of_a_library(loss, penalty):
    features, same = data()
    scale = np.where(features.std(0) > 1e-12, features.std(0), 1)
    inputs, signs = (features - features.mean(0)) / scale, np.where(same, 1, -1)
    found = fit(features, same, loss, penalty)
    values = np.append(found.weights * scale, found.bias + found.weights @ features.mean(0))
    least = loss_of(values, inputs, signs, loss, penalty)
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert loss_of(values + 0.05 * rng.normal(size=6), inputs, signs, loss, penalty) > least
    if loss == "logistic":
        peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(inputs, same)
        np.testing.assert_allclose(found.score(features), peer.decision_function(inputs), atol=5e-3)
    else:
        peer = LinearSVC(C=1 / penalty, dual=False, intercept_scaling=1e3, tol=1e-10, max_iter=100_000).fit(inputs, same)
        # LinearSVC minimizes 1/2 |w|^2 + C sum: with C = 1 / penalty the same up to a factor
        np.testing.assert_allclose(found.score(features), peer.decision_function(inputs), atol=5e-3)


def test_the_scale_of_a_feature_changes_nothing():
    features, same = data()
    factors = np.array([1e-3, 1, 1e3, 7, 1])
    one, two = fit(features, same).score(features), fit(features * factors, same).score(features * factors)
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_every_map_is_what_it_says_for_single_numbers():
    a, b = np.array([[0.5, 0.0, 0.2]]), np.array([[0.1, 0.0, 0.4]])
    assert FEATURES["difference"](a, b)[0] == pytest.approx([0.4, 0, 0.2])
    assert FEATURES["product"](a, b)[0] == pytest.approx([0.05, 0, 0.08])
    assert FEATURES["both"](a, b)[0] == pytest.approx([0.4, 0, 0.2, 0.05, 0, 0.08])
    assert FEATURES["chi_square"](a, b)[0] == pytest.approx([0.16 / 0.6, 0, 0.04 / 0.6])
    for name in FEATURES:
        assert FEATURES[name](a, b).tolist() == FEATURES[name](b, a).tolist()


def test_chi_square_of_negative_values_is_refused():
    with pytest.raises(ValueError, match="difference, product and both"):
        chi_square(np.array([[-0.1]]), np.array([[0.1]]))


def test_unknown_options_are_refused():
    features, same = data()
    with pytest.raises(ValueError, match="logistic and svm are known"):
        fit(features, same, "hinge")
    with pytest.raises(ValueError, match="above 0"):
        fit(features, same, penalty=0)
