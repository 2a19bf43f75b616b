from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from modules.metrics.score_agreement import AGREES, REVERSED, TOO_FEW, UNCLEAR, Units, permutation_p, score_agreement


def values(seed, maps=8, pairs=60, noise=0.5, sign=1.0):
    """A score and a ground truth of the same quality per map, with noise for each pair; 20 subjects and a look-alike each."""
    generator = np.random.default_rng(seed)
    quality = np.linspace(0, 1, maps)[generator.permutation(maps)][:, None]
    truth = quality + noise * generator.normal(size=(maps, pairs))
    score = sign * quality + noise * generator.normal(size=(maps, pairs))
    left = np.array([f"s{number % 20}" for number in range(pairs)])
    return score, truth, left, np.where(np.arange(pairs) % 2, left, np.char.add(left, "-nose"))


def test_the_value_is_spearman_of_the_means_over_the_pairs_that_each_has():
    score, truth, left, right = values(0)
    truth[:, 1::2] = np.nan  # genuine pairs have no region
    score[2, :6] = np.nan  # a method that refused some pairs
    found = score_agreement(score, truth, left, right)
    assert found["value"] == pytest.approx(stats.spearmanr(np.nanmean(score, 1), np.nanmean(truth, 1)).statistic, abs=1e-12)
    assert (found["maps"], found["pairs"], found["units"]) == (8, 30, 20)


def test_the_interval_is_that_of_a_naive_bootstrap_over_groups_of_subjects():
    score, truth, left, right = values(1, noise=2.0)
    found = score_agreement(score, truth, left, right, resamples=2000)
    generator, drawn = np.random.default_rng(5), []
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(left == f"s{number}") for number in generator.integers(0, 20, 20)])
        drawn.append(stats.spearmanr(score[:, rows].mean(1), truth[:, rows].mean(1)).statistic)
    np.testing.assert_allclose([found["low"], found["high"]], np.quantile(drawn, [0.025, 0.975]), atol=0.06)


def test_subjects_in_one_web_of_pairs_are_drawn_themselves():
    ring = np.arange(12)
    units = Units.of(ring, (ring + 1) % 12)
    assert units.count == 12
    times = np.random.default_rng(0).integers(0, 3, (4, 12))
    np.testing.assert_array_equal(units.weights(times), times * np.roll(times, -1, axis=1))
    assert Units.of(ring, ring).weights(times).tolist() == times.tolist()


def test_p_counts_all_orders_and_samples_those_of_many_methods():
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=6), np.round(generator.normal(size=6))
    value = abs(stats.spearmanr(one, other).statistic)
    count = [abs(stats.spearmanr(one, other[list(order)]).statistic) >= value - 1e-9 for order in permutations(range(6))]
    assert permutation_p(one, other) == pytest.approx(np.mean(count))
    many, others = generator.normal(size=20), generator.normal(size=20)
    others += many / 2
    assert permutation_p(many, others) == pytest.approx(stats.spearmanr(many, others).pvalue, abs=0.01)
    assert permutation_p(np.arange(4.0), np.arange(4.0)) == pytest.approx(2 / 24)


def test_verdicts():
    assert score_agreement(*values(4))["verdict"] == AGREES
    assert score_agreement(*values(4, sign=-1.0))["verdict"] == REVERSED
    assert score_agreement(*values(4, sign=0.0, noise=1.0))["verdict"] == UNCLEAR
    score, truth, left, right = values(4)
    assert score_agreement(score[:4], truth[:4], left, right)["verdict"] == TOO_FEW
    assert score_agreement(np.ones_like(score), truth, left, right)["value"] is None


def test_five_methods_in_the_same_order_by_luck_are_no_evidence():
    """The pairs leave no doubt about the five means, and p alone says that their order may be luck."""
    score, truth, left, right = values(9, maps=5, noise=0.001)
    order = np.argsort(truth.mean(1))
    score = score[np.argsort(score.mean(1))][[0, 2, 1, 4, 3]]
    found = score_agreement(score, truth[order], left, right)
    assert found["low"] > 0
    assert found["p"] > 0.05
    assert found["verdict"] == UNCLEAR


def test_within_pairs_and_halves():
    score, truth, left, right = values(6, noise=0.3)
    truth = np.round(truth, 1)  # with ties
    truth[:, 0] = 1.0
    found = score_agreement(score, truth, left, right)
    single = [stats.spearmanr(score[:, pair], truth[:, pair]).statistic for pair in range(1, 60)]
    assert found["within"]["value"] == pytest.approx(np.mean(single))
    assert found["within"]["pairs"] == 59
    assert found["within"]["low"] < np.mean(single) < found["within"]["high"]
    noise = np.random.default_rng(7).normal(size=truth.shape)
    assert found["repeats"] > 0.9
    assert abs(score_agreement(score, noise, left, right)["repeats"]) < 0.5


def test_bad_values_are_named():
    score, truth, left, right = values(8)
    with pytest.raises(ValueError, match=r"\(8, 60\) and \(7, 60\)"):
        score_agreement(score, truth[1:], left, right)
    score[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        score_agreement(score, truth, left, right)
