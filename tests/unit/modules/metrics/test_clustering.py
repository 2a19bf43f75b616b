import numpy as np
import pytest
from scipy.spatial.distance import cosine

from modules.metrics import clustering
from modules.metrics.cluster_scores import pairwise
from modules.metrics.clustering import average_linkage, cut_at, cut_into, kmeans


def faces(subjects=6, images=7, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects), images)
    embeddings = rng.normal(size=(subjects, 16))[who] + noise * rng.normal(size=(len(who), 16))
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), who


def naive_average_linkage(embeddings, clusters):
    """Joins the two groups with the smallest mean distance until so many are left."""
    groups = [[row] for row in range(len(embeddings))]
    while len(groups) > clusters:
        means = {
            (a, b): np.mean([cosine(embeddings[i], embeddings[j]) for i in groups[a] for j in groups[b]])
            for a in range(len(groups))
            for b in range(a)
        }
        a, b = min(means, key=means.get)
        groups[b] += groups.pop(a)
    labels = np.zeros(len(embeddings), int)
    for name, group in enumerate(groups):
        labels[group] = name
    return labels


def test_subjects_that_stand_apart_are_found():
    embeddings, who = faces()
    assert pairwise(kmeans(embeddings, 6, seed=0, starts=5), who).f == 1.0
    merges = average_linkage(embeddings)
    assert pairwise(cut_into(merges, 6), who).f == 1.0
    assert pairwise(cut_at(merges, 0.2), who).f == 1.0


@pytest.mark.parametrize("clusters", [1, 3, 9, 20])
def test_average_linkage_is_its_definition(clusters, monkeypatch):
    monkeypatch.setattr(clustering, "ROWS", 7)
    embeddings, _ = faces(subjects=4, images=5, noise=0.8)
    found = cut_into(average_linkage(3 * embeddings), clusters)
    assert len(set(found.tolist())) == clusters
    assert pairwise(found, naive_average_linkage(embeddings, clusters)).f == 1.0


def test_a_cut_joins_what_is_at_or_below_the_distance():
    merges = average_linkage(np.array([[1.0, 0], [1, 0], [0, 1], [-1, 0]]))
    assert cut_at(merges, -1).tolist() == [0, 1, 2, 3]
    assert cut_at(merges, 0.0).tolist() == [0, 0, 1, 2]
    assert cut_at(merges, 2.0).tolist() == [0, 0, 0, 0]
    assert cut_into(merges, 4).tolist() == [0, 1, 2, 3]


def test_kmeans_ends_where_every_row_is_nearest_to_its_own_mean():
    embeddings, _ = faces(noise=1.0, images=20)
    labels = kmeans(embeddings, 5, seed=1)
    means = np.stack([embeddings[labels == name].mean(axis=0) for name in range(5)])
    distances = ((embeddings[:, None] - means[None]) ** 2).sum(-1)
    assert (distances.argmin(1) == labels).all()


def test_a_seed_gives_one_result():
    embeddings, _ = faces(noise=1.0, images=20)
    assert kmeans(embeddings, 5, seed=1).tolist() == kmeans(embeddings, 5, seed=1).tolist()
    assert kmeans(embeddings, 5, seed=1).tolist() != kmeans(embeddings, 5, seed=2).tolist()
    assert len(set(kmeans(embeddings, len(embeddings)).tolist())) == len(embeddings)


def test_traps_are_refused():
    embeddings, _ = faces()
    for count in (0, 43):
        for call in (lambda n: kmeans(embeddings, n), lambda n: cut_into(average_linkage(embeddings), n)):
            with pytest.raises(ValueError, match=f"{count} clusters of 42"):
                call(count)
    broken = embeddings.copy()
    broken[3, 2] = np.nan
    for call in (lambda: kmeans(broken, 2), lambda: average_linkage(broken)):
        with pytest.raises(ValueError, match="row 3"):
            call()
    broken[3] = 0
    with pytest.raises(ValueError, match="row 3 has length 0"):
        average_linkage(broken)
    with pytest.raises(ValueError, match="two at least"):
        average_linkage(embeddings[:1])
