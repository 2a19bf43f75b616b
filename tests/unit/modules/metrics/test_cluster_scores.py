import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.metrics.cluster_scores import bcubed, pairwise, sweep
from modules.metrics.clustering import average_linkage, cut_at

rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=25)


def columns(pairs):
    clusters, subjects = zip(*pairs, strict=True)
    return np.array(clusters), np.array(subjects)


def naive_pairwise(clusters, subjects):
    """Over all pairs of images."""
    right = claimed = wanted = 0
    for a, b in itertools.combinations(range(len(clusters)), 2):
        together, one = clusters[a] == clusters[b], subjects[a] == subjects[b]
        right, claimed, wanted = right + int(together and one), claimed + int(together), wanted + int(one)
    precision = Fraction(right, claimed) if claimed else Fraction(1)
    recall = Fraction(right, wanted) if wanted else Fraction(1)
    return precision, recall, 2 * precision * recall / (precision + recall) if right else Fraction(int(not claimed + wanted))


def naive_bcubed(clusters, subjects):
    """Image by image."""
    precision, recall, n = Fraction(0), Fraction(0), len(clusters)
    for i in range(n):
        both = sum(1 for j in range(n) if clusters[j] == clusters[i] and subjects[j] == subjects[i])
        precision += Fraction(both, sum(1 for j in range(n) if clusters[j] == clusters[i])) / n
        recall += Fraction(both, sum(1 for j in range(n) if subjects[j] == subjects[i])) / n
    return precision, recall, 2 * precision * recall / (precision + recall)


@settings(deadline=None)
@given(rows)
def test_both_are_what_going_through_all_pairs_finds(pairs):
    clusters, subjects = columns(pairs)
    assert tuple(pairwise(clusters, subjects)) == pytest.approx([float(value) for value in naive_pairwise(clusters, subjects)])
    assert tuple(bcubed(clusters, subjects)) == pytest.approx([float(value) for value in naive_bcubed(clusters, subjects)])


@settings(deadline=None)
@given(rows, st.randoms())
def test_names_and_order_change_nothing_and_changing_places_swaps_precision_and_recall(pairs, random):
    clusters, subjects = columns(pairs)
    order = random.sample(range(len(pairs)), len(pairs))
    named = np.array(["c", "a", "e", "d", "b"])
    for measure in (pairwise, bcubed):
        found = measure(clusters, subjects)
        assert tuple(measure(named[clusters[order]], subjects[order] * 7 - 3)) == pytest.approx(tuple(found))
        swapped = measure(subjects, clusters)
        assert (swapped.precision, swapped.recall, swapped.f) == pytest.approx((found.recall, found.precision, found.f))


def test_the_ends_are_known():
    subjects = np.array([0, 0, 1, 1])
    assert tuple(pairwise(subjects + 5, subjects)) == tuple(bcubed(subjects, subjects)) == (1.0, 1.0, 1.0)
    assert tuple(pairwise(np.arange(4), subjects)) == (1.0, 0.0, 0.0)
    assert tuple(bcubed(np.arange(4), subjects)) == pytest.approx((1.0, 0.5, 2 / 3))
    assert tuple(pairwise(np.zeros(4), subjects)) == pytest.approx((1 / 3, 1.0, 0.5))
    assert tuple(pairwise(np.arange(4), np.arange(4))) == (1.0, 1.0, 1.0)


def test_lengths_that_differ_are_refused():
    for one, two in ((np.arange(3), np.arange(2)), (np.arange(0), np.arange(0))):
        for measure in (pairwise, bcubed):
            with pytest.raises(ValueError, match="one of both for each image"):
                measure(one, two)
    with pytest.raises(ValueError, match="one merge fewer"):
        sweep(np.zeros((3, 4)), np.arange(3))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("digits", [0, 6])
def test_a_sweep_is_a_cut_at_every_distance(seed, digits):
    rng = np.random.default_rng(seed)
    subjects = rng.integers(0, 8, 40)
    embeddings = (rng.normal(size=(8, 5))[subjects] + 0.7 * rng.normal(size=(40, 5))).round(digits) + 0.01
    merges = average_linkage(embeddings)  # with digits 0 many images are one and the same: equal heights
    found = sweep(merges, subjects)
    assert found.distances.tolist() == [-np.inf, *sorted(set(merges[:, 2].tolist()))]
    for row, distance in enumerate(found.distances):
        clusters = cut_at(merges, distance)
        assert found.clusters[row] == len(set(clusters.tolist()))
        assert found.pairwise[row] == pytest.approx(pairwise(clusters, subjects).f)
    value, distance = found.best()
    assert value == found.pairwise.max()
    assert pairwise(cut_at(merges, distance), subjects).f == pytest.approx(value)
