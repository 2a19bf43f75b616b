import numpy as np
import pytest
from scipy.stats import multivariate_normal

from modules.metrics.plda import Plda, fit


def drawn(subjects, images, between, within, mean, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects), images)
    size = len(mean)
    places = rng.multivariate_normal(np.zeros(size), between, subjects)[who]
    return mean + places + rng.multivariate_normal(np.zeros(size), within, len(who)), who


BETWEEN = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.0], [0.1, 0.0, 0.5]])
WITHIN = np.array([[0.5, 0.1, 0.0], [0.1, 0.8, 0.2], [0.0, 0.2, 0.3]])
MEAN = np.array([1.0, -2.0, 0.5])


def recovered(model):
    """(B, W) from the model's base."""
    inverse = np.linalg.inv(model.base)
    return inverse.T @ np.diag(model.between) @ inverse, inverse.T @ inverse


def test_the_score_is_the_ratio_of_the_two_densities():
    rng = np.random.default_rng(1)
    embeddings, who = drawn(60, 5, BETWEEN, WITHIN, MEAN)
    model = fit(embeddings, who, shrink=0.0)
    between, within = recovered(model)
    total = between + within
    one = multivariate_normal(np.tile(model.mean, 2), np.block([[total, between], [between, total]]))
    two = multivariate_normal(np.tile(model.mean, 2), np.kron(np.eye(2), total))
    left, right = rng.normal(size=(2, 20, 3))
    both = np.concatenate([left, right], axis=1)
    np.testing.assert_allclose(model.score(left, right), one.logpdf(both) - two.logpdf(both), atol=1e-9)
    np.testing.assert_allclose(model.score(left, right), model.score(right, left), atol=1e-12)


@pytest.mark.parametrize("images", [4, "different"])
def test_the_covariances_are_found_again(images):
    counts = np.random.default_rng(0).integers(1, 12, 6000) if images == "different" else 4
    embeddings, who = drawn(6000, counts, BETWEEN, WITHIN, MEAN)
    between, within = recovered(fit(embeddings, who, shrink=0.0))
    np.testing.assert_allclose(between, BETWEEN, atol=0.12)
    np.testing.assert_allclose(within, WITHIN, atol=0.03)


def test_shrinking_keeps_the_trace():
    embeddings, who = drawn(60, 5, BETWEEN, WITHIN, MEAN)
    plain, half, whole = (recovered(fit(embeddings, who, shrink=share))[1] for share in (0.0, 0.5, 1.0))
    level = np.trace(plain) / 3
    np.testing.assert_allclose(half, (plain + level * np.eye(3)) / 2, atol=1e-9)
    np.testing.assert_allclose(whole, level * np.eye(3), atol=1e-9)


def test_a_rotation_changes_no_score():
    embeddings, who = drawn(60, 5, BETWEEN, WITHIN, MEAN)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    one = fit(embeddings, who).score(embeddings[:10], embeddings[10:20])
    turned = embeddings @ rotation
    np.testing.assert_allclose(fit(turned, who).score(turned[:10], turned[10:20]), one, atol=1e-9)


def test_a_direction_in_which_subjects_do_not_differ_says_nothing():
    model = Plda(np.zeros(2), np.eye(2), np.array([1.0, 1e-12]))
    one = model.score(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert one == pytest.approx(model.score(np.array([[1.0, 5.0]]), np.array([[1.0, -5.0]])), abs=1e-6)


def test_traps_are_refused():
    embeddings, who = drawn(5, 2, BETWEEN, WITHIN, MEAN)
    for subjects in (np.arange(10), np.zeros(10)):
        with pytest.raises(ValueError, match="cannot show"):
            fit(embeddings, subjects)
    with pytest.raises(ValueError, match="no share"):
        fit(embeddings, who, shrink=1.5)
    with pytest.raises(ValueError, match="nothing to fit"):
        fit(np.eye(3)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="tell them apart"):
        fit(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([0, 0, 1, 1]))
