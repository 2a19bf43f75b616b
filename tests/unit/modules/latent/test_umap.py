"""UMAP: its parts against naive forms, its map by whether neighbors stay neighbors."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from modules.latent.projections import principal
from modules.latent.umap import attraction, curve, fuzzy_graph, repulsion, umap

GENERATOR = np.random.default_rng(0)


def test_the_graph_is_that_of_the_paper_written_naively() -> None:
    vectors, k = GENERATOR.normal(size=(40, 3)), 8
    directed = np.zeros((40, 40))
    for one in range(40):
        distances = np.linalg.norm(vectors - vectors[one], axis=1)
        near = sorted((other for other in range(40) if other != one), key=lambda other: distances[other])[: k - 1]
        rho = distances[near[0]]

        def excess(sigma: float, near: list[int] = near, distances: np.ndarray = distances, rho: float = rho) -> float:
            return sum(np.exp(-(distances[other] - rho) / sigma) for other in near) - np.log2(k)

        sigma = brentq(excess, 1e-6, 100, xtol=1e-14)
        for other in near:
            directed[one, other] = np.exp(-(distances[other] - rho) / sigma)
    expected = directed + directed.T - directed * directed.T
    np.testing.assert_allclose(fuzzy_graph(vectors, k).toarray(), expected, atol=1e-9)


def test_equal_vectors_are_connected_and_none_with_itself() -> None:
    graph = fuzzy_graph(np.repeat(GENERATOR.normal(size=(3, 4)), 10, axis=0), 5).toarray()
    assert np.isfinite(graph).all()
    assert not graph.diagonal().any()
    assert (graph.sum(axis=1) >= 4).all(), "all neighbors are as near as the nearest one"
    assert not graph[:10, 10:].any()


def test_the_curve_has_the_published_parameters() -> None:
    assert curve(0.1) == pytest.approx((1.577, 0.895), abs=1e-3)  # of the authors' package for min_dist 0.1


@pytest.mark.parametrize(("a", "b"), [(1.577, 0.895), (1.0, 1.0)])
def test_steps_are_gradients_of_the_log_likelihood(a: float, b: float) -> None:
    still = np.array([0.3, -0.2])
    for point in GENERATOR.normal(size=(20, 2)):
        square = ((point - still) ** 2).sum()

        def connected(at: np.ndarray) -> float:
            return float(1 / (1 + a * (((at - still) ** 2).sum()) ** b))

        for axis in (0, 1):
            step = np.eye(2)[axis] * 1e-6
            slope = (np.log(connected(point + step)) - np.log(connected(point - step))) / 2e-6
            assert attraction(square, a, b) * (point - still)[axis] == pytest.approx(slope, rel=1e-4, abs=1e-8)
            slope = (np.log(1 - connected(point + step)) - np.log(1 - connected(point - step))) / 2e-6
            pushed = repulsion(square, a, b) * (1e-3 + square) / square  # without the constant that keeps it finite
            assert pushed * (point - still)[axis] == pytest.approx(slope, rel=1e-4, abs=1e-8)
    assert attraction(np.zeros(1), a, b) == 0


def test_neighbors_of_handwritten_digits_stay_neighbors() -> None:
    digits, truth = load_digits(return_X_y=True)
    digits, truth = digits[:400], truth[:400]
    found = umap(digits, seed=3)
    kept, linear = (trustworthiness(digits, one, n_neighbors=10) for one in (found, principal(digits)[0]))
    assert kept > 0.96 > 0.9 > linear
    distances = np.linalg.norm(found[:, None] - found[None], axis=2) + np.diag(np.full(400, np.inf))
    assert (truth[distances.argmin(axis=1)] == truth).mean() > 0.93
    assert np.array_equal(found, umap(digits, seed=3))
    assert not np.array_equal(found, umap(digits, seed=4))


def test_few_vectors_have_fewer_neighbors_and_too_few_no_map() -> None:
    assert np.isfinite(umap(GENERATOR.normal(size=(6, 3)), epochs=20)).all()
    with pytest.raises(ValueError, match="four vectors"):
        umap(np.zeros((3, 6)))
