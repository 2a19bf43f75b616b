"""The AUC's jackknife over subjects against its literal form, and the size of its test."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from modules.metrics.auc_jackknife import AUCJackknife
from modules.metrics.intervals import placements
from modules.metrics.paired_tests import delong

PEOPLE, N = 30, 360


def scored(rng, networks=2, ties=False):
    same = np.arange(N) % 3 == 0
    left = rng.integers(0, PEOPLE, N)
    right = np.where(same, left, (left + 1 + rng.integers(0, PEOPLE - 1, N)) % PEOPLE)
    ease = rng.normal(size=(networks, PEOPLE))
    scores = 1.5 * same + ease[:, left] * np.where(same, 1, 0.7) + ease[:, right] * np.where(same, 0, 0.7)
    scores = scores + 0.5 * rng.normal(size=(networks, N))
    return scores.round() if ties else scores, same, (left, right)


@pytest.mark.parametrize("ties", [False, True])
def test_the_literal_form(ties):
    scores, same, (left, right) = scored(np.random.default_rng(0), ties=ties)
    one, other = (AUCJackknife.of(row, same, (left, right)) for row in scores)
    areas = [roc_auc_score(same, row) for row in scores]
    without = []
    for subject in np.unique(np.concatenate([left, right])):
        kept = (left != subject) & (right != subject)
        without.append([roc_auc_score(same[kept], row[kept]) for row in scores])
    without = np.array(without)
    assert np.stack([one.without, other.without], 1) == pytest.approx(without, abs=1e-12)
    gaps = without[:, 0] - without[:, 1] - (areas[0] - areas[1])
    influences = []
    for row, area in zip(scores, areas, strict=True):
        beats = (row[same][:, None] > row[~same]) + 0.5 * (row[same][:, None] == row[~same])
        found = np.empty(N)
        found[same], found[~same] = (beats.mean(axis=1) - area) / same.sum(), (beats.mean(axis=0) - area) / (~same).sum()
        influences.append(found)
    between = {}
    for a, b, gap in zip(left, right, influences[0] - influences[1], strict=True):
        if a != b:
            between[frozenset((a, b))] = between.get(frozenset((a, b)), 0) + gap
    assert len(between) < (left != right).sum(), "some pairs are of the same two subjects"
    pair = np.array(list(between.values()))
    people = len(without)
    variance = (people - 1) / people * (gaps**2).sum() - (pair**2).sum()
    found = one.minus(other)
    assert found.value == pytest.approx(areas[0] - areas[1])
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value) / variance**0.5, people - 1))


def test_pairs_without_common_subjects_give_nearly_delongs_test():
    rng = np.random.default_rng(1)
    same = rng.random(400) < 0.5
    scores, others = rng.normal(size=400) + same, rng.normal(size=400) + 1.2 * same
    own = np.arange(400)  # every pair has one subject of its own
    found = AUCJackknife.of(scores, same, (own, own)).minus(AUCJackknife.of(others, same, (own, own)))
    assert found.p == pytest.approx(delong(placements(scores, same), placements(others, same)).p, rel=0.07)
    assert found.high - found.low == pytest.approx(
        np.subtract(*[getattr(delong(placements(scores, same), placements(others, same)), k) for k in ("high", "low")]),
        rel=0.02,
    )


@pytest.mark.slow
def test_the_test_keeps_its_size_where_delongs_does_not():
    rng = np.random.default_rng(2)
    mine, naive = [], []
    for _ in range(400):
        scores, same, subjects = scored(rng)
        mine.append(AUCJackknife.of(scores[0], same, subjects).minus(AUCJackknife.of(scores[1], same, subjects)).p < 0.05)
        naive.append(delong(placements(scores[0], same), placements(scores[1], same)).p < 0.05)
    assert np.mean(mine) < 0.08 < 0.15 < np.mean(naive), (np.mean(mine), np.mean(naive))


def test_too_few_subjects_and_equal_networks():
    scores, same, subjects = scored(np.random.default_rng(3))
    one = AUCJackknife.of(scores[0], same, subjects)
    assert one.minus(one).p == 1
    assert one.minus(one).high > one.minus(one).low
    only = np.zeros(N, int)
    assert AUCJackknife.of(scores[0], same, (only, only)) is None  # nothing is left without the one subject
    assert AUCJackknife.of(scores[0], same, (same.astype(int), same.astype(int))) is None


def test_its_degrees_of_freedom_are_those_of_the_rarer_kind_of_pairs():
    """Equal networks, four subjects with genuine pairs, 60 others: with 63 degrees of freedom, 11 % of tests find p < 0.05."""
    rng = np.random.default_rng(2)
    same = np.arange(160) < 40
    left = np.concatenate([np.repeat(np.arange(4), 10), 4 + np.tile(np.arange(60), 2)])
    right = np.where(same, left, 4 + (left - 4 + np.repeat([1, 2], 80)) % 60)
    rejected = []
    for _ in range(200):
        ease = np.append(rng.normal(size=(2, 4)), np.zeros((2, 60)), axis=1)
        scores = rng.normal(size=(2, 160)) + same * (0.7 + ease[:, left])
        one, other = (AUCJackknife.of(row, same, (left, right)) for row in scores)
        assert one.fewest.tolist() == [4] * 4 + [60] * 60
        rejected.append(one.minus(other).p < 0.05)
    assert np.mean(rejected) < 0.08
