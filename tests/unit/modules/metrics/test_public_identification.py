"""1:N readings against the evaluators' own steps, written out on whole score matrices of drawn templates in two galleries."""

import heapq
import math

import numpy as np
import pytest

from modules.metrics.identification import dir_at_far, search
from modules.metrics.public_identification import EPSILON, joined_search, pfe

FARS = (0.1, 0.03, 0.01)


def drawn(seed, people=60, probes=400, noise=1.3):
    """Unit templates: galleries of two halves of the subjects, and probes of all of them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(people, 16))
    who = np.concatenate([np.arange(people), rng.integers(0, people, probes - people)])

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    gallery = unit(centers + 0.3 * noise * rng.normal(size=centers.shape))
    return gallery, np.arange(people), unit(centers[who] + noise * rng.normal(size=(probes, 16))), who


def halves(people):
    return np.arange(people // 2), np.arange(people // 2, people)


def insightface_steps(gallery, probes, mask, far):
    """The steps of InsightFace's evaluator: all non-mate scores, a heap of the largest, strictly above."""
    similarity = probes @ gallery.T
    positive = []
    for row, mate in enumerate(mask):
        positive.append(similarity[row, mate])
        similarity[row, mate] = -2.0
    required = math.ceil(len(probes) * far)
    threshold = heapq.nlargest(required, similarity[similarity > -2.0])[required - 1]
    return np.sum(np.array(positive) > threshold) / len(probes), threshold


def pfe_steps(gallery, subjects, probes, who, far):
    """The steps of PFE's evaluator on one gallery: rounded number of false alarms, at or above, and the first of the sorted."""
    scores = (probes @ gallery.T).astype(np.float32).astype(np.float64)
    labels = who[:, None] == subjects[None]
    mated = labels.any(axis=1)
    tops = np.sort(scores[~mated].max(axis=1))[::-1]
    alarms = int(np.round(len(tops) * far))
    threshold = tops[0] + 1e-8 if alarms == 0 else tops[alarms - 1]
    order = np.argsort(-scores[mated], axis=1)
    first = np.take_along_axis(labels[mated], order[:, :1], axis=1)[:, 0]
    return np.mean((scores[labels] >= threshold) & first)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("far", FARS)
def test_insightface_is_its_own_steps_in_any_blocks(seed, far, monkeypatch):
    gallery, subjects, probes, who = drawn(seed)
    wanted, threshold = insightface_steps(gallery, probes, who, far)
    for scores in (60 * 7, 10**9):
        monkeypatch.setattr("modules.metrics.public_identification.SCORES", scores)
        found = joined_search(gallery, subjects, probes, who, FARS[0]).dir_at_far(far)
        assert found == pytest.approx((wanted, threshold), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_ranks_in_the_joined_galleries_are_those_of_sorting(seed):
    gallery, subjects, probes, who = drawn(seed)
    order = np.argsort(-(probes @ gallery.T), axis=1)
    found = joined_search(gallery, subjects, probes, who, 0.1)
    for rank in (1, 5, 10):
        wanted = np.mean([who[row] in order[row, :rank] for row in range(len(who))])
        assert found.cmc(rank) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("far", [*FARS, 0.001])
def test_pfe_is_its_own_steps_averaged_over_galleries(seed, far):
    gallery, subjects, probes, who = drawn(seed)
    parts = [(gallery[half], subjects[half], probes, who) for half in halves(len(subjects))]
    found = pfe([search(*part) for part in parts], far)
    assert found[0] == pytest.approx(np.mean([pfe_steps(*part, far) for part in parts]), abs=1e-12)


def test_the_readings_differ_and_pfe_may_exceed_the_target_while_the_exact_one_does_not():
    gallery, subjects, probes, who = drawn(0)
    searches = [search(gallery[half], subjects[half], probes, who) for half in halves(len(subjects))]
    unmated = [int((~one.mated).sum()) for one in searches]
    far = 1.6 / max(unmated)  # rounds up to two false alarms
    assert max(pfe(searches, far)[2]) > far
    assert all(dir_at_far(one, far)[2] <= far for one in searches)
    exact = np.mean([dir_at_far(one, 0.1)[0] for one in searches])
    joined = joined_search(gallery, subjects, probes, who, 0.1).dir_at_far(0.1)[0]
    assert len({round(float(value), 12) for value in (exact, joined, pfe(searches, far)[0])}) == 3


def test_without_an_allowed_false_alarm_the_threshold_is_above_all():
    gallery, subjects, probes, who = drawn(1)
    searches = [search(gallery[half], subjects[half], probes, who) for half in halves(len(subjects))]
    _, thresholds, fars = pfe(searches, 1e-6)
    assert thresholds == [float(one.top[~one.mated].max()) + EPSILON for one in searches]
    assert fars == [0, 0]


def test_what_the_evaluators_cannot_do_is_refused():
    gallery, subjects, probes, who = drawn(2)
    with pytest.raises(ValueError, match=r"probes have no single mate in the joined galleries"):
        joined_search(gallery[1:], subjects[1:], probes, who, 0.1)
    with pytest.raises(ValueError, match="cannot show a FAR of 100"):
        joined_search(gallery, subjects, probes, who, 100)
    with pytest.raises(ValueError, match="mated and non-mated"):
        pfe([search(gallery, subjects, probes, who)], 0.1)


def test_a_mate_at_the_threshold_is_no_hit_of_insightface():
    gallery, probes = np.eye(3), np.array([[1.0, 0, 0], [0, 2, 1], [1, 0, 1]])  # mates 1, 2, 1; others 1, 1, 0, 0, 0, 0
    found = joined_search(gallery, np.arange(3), probes, np.arange(3), 0.3)
    assert found.others.tolist() == [1.0]
    assert found.dir_at_far(0.3) == (1 / 3, 1.0)
    assert found.rank.tolist() == [0, 0, 0]
