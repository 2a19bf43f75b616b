"""Maps in two dimensions: exact for principal components, repeatable for t-SNE."""

import numpy as np
import pytest

from modules.latent.projections import neighbors, principal

GENERATOR = np.random.default_rng(0)
PLANE = GENERATOR.normal(size=(40, 2)) * (5, 2)
BASIS = np.linalg.qr(GENERATOR.normal(size=(6, 2)))[0]


def test_principal_components_keep_distances_in_a_plane() -> None:
    found, explained = principal(PLANE @ BASIS.T + 3)
    assert sum(explained) == pytest.approx(1)
    before = np.linalg.norm(PLANE[:, None] - PLANE[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), before, atol=1e-9)
    assert (found[np.abs(found).argmax(0), [0, 1]] > 0).all()


def test_t_sne_separates_clusters_and_repeats_itself() -> None:
    clusters = np.repeat(np.eye(6)[:2] * 30, 20, axis=0) + GENERATOR.normal(size=(40, 6))
    found = neighbors(clusters, 5, 0)
    assert np.array_equal(found, neighbors(clusters, 5, 0))
    distances = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert ((distances.argmin(1) < 20) == (np.arange(40) < 20)).all()


def test_a_large_perplexity_is_reduced_to_what_few_images_allow() -> None:
    assert neighbors(GENERATOR.normal(size=(5, 3)), 30, 0).shape == (5, 2)


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="four vectors of two dimensions at least, found 3 of 6"):
        principal(np.zeros((3, 6)))
