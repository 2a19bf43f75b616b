"""Paired resampling: every network sees the same subjects, and one network alone gives what the subject bootstrap gives."""

import numpy as np
import pytest

from modules.metrics.paired_bootstrap import PAIRS, SUBJECTS, held_out_decisions, paired_bootstrap, without
from modules.metrics.paired_tests import student
from modules.metrics.resampled_units import ResampledUnits
from modules.metrics.roc import Curve
from modules.metrics.verification import ten_fold_accuracy

N, PEOPLE = 240, 30


@pytest.fixture
def list_of_pairs():
    rng = np.random.default_rng(3)
    same = np.arange(N) % 2 == 0
    left = rng.integers(0, PEOPLE, N)
    right = np.where(same, left, (left + rng.integers(1, PEOPLE, N)) % PEOPLE)
    scores = rng.normal(size=(3, N)) + 1.2 * same
    return scores, same, (left, right), np.arange(N) // 2 % 10


def naive(scores, same, left, right, times, folds):
    """Accuracy at the best threshold, EER is left out, AUC and cross-validated accuracy by loops over weighted pairs."""
    weights = np.where(same, times[left] + 1, times[left] + times[right]) / 2
    best = max((weights * ((scores >= threshold) == same)).sum() / weights.sum() for threshold in [*np.unique(scores), np.inf])
    wins = total = 0.0
    for one in np.flatnonzero(same):
        for other in np.flatnonzero(~same):
            weight = weights[one] * weights[other]
            wins += weight * ((scores[one] > scores[other]) + 0.5 * (scores[one] == scores[other]))
            total += weight
    shares = []
    for fold in np.unique(folds):
        _, threshold = Curve.of(scores[folds != fold], same[folds != fold]).best()
        own = folds == fold
        shares.append((weights[own] * ((scores[own] >= threshold) == same[own])).sum() / weights[own].sum())
    return best, wins / total, np.mean(shares)


def test_a_resample_is_the_metric_of_weighted_pairs(list_of_pairs):
    scores, same, (left, right), folds = list_of_pairs
    found = paired_bootstrap(scores, same, (left, right), folds=folds, resamples=3, seed=5)
    generator = np.random.default_rng([5, 0])
    drawn = generator.integers(0, PEOPLE, size=(3, PEOPLE))
    for row in range(3):
        times = np.bincount(drawn[row], minlength=PEOPLE)
        for network in range(3):
            best, area, accuracy = naive(scores[network], same, left, right, times, folds)
            assert found.drawn["best_threshold"][row, network] == pytest.approx(best, abs=1e-12)
            assert found.drawn["auc"][row, network] == pytest.approx(area, abs=1e-12)
            assert found.drawn["ten_fold"][row, network] == pytest.approx(accuracy, abs=1e-12)
    assert (found.units.every, found.method) == (PEOPLE, SUBJECTS)
    assert set(found.drawn) - set(found.single) == {"ten_fold"}  # its thresholds are fixed, so its variance is too small


def test_two_copies_of_a_network_never_differ(list_of_pairs):
    scores, same, subjects, folds = list_of_pairs
    found = paired_bootstrap(scores[[0, 0]], same, subjects, folds=folds, fars=(0.1,), resamples=50)
    for key in ("best_threshold", "ten_fold", "eer", "auc", "val:0.1"):
        assert found.covariance(key, np.array([[1.0, -1.0]]))[0, 0] == 0
        assert found.covariance(key, np.array([[1.0, 0.0]]))[0, 0] > 0


def test_unknown_subjects_resample_pairs_and_say_so(list_of_pairs):
    scores, same, _, _ = list_of_pairs
    found = paired_bootstrap(scores, same, None, resamples=400)
    assert (found.units, found.method, dict(found.single)) == (ResampledUnits(N // 2, N // 2, N, 1), PAIRS, {})
    from modules.metrics.intervals import delong_variance

    variance = found.covariance("auc", np.eye(3)[:1])[0, 0]
    assert variance == pytest.approx(delong_variance(scores[0], same)[1], rel=0.25)


def test_decisions_have_the_cross_validated_accuracy(list_of_pairs):
    scores, same, _, folds = list_of_pairs
    right = held_out_decisions(scores[0], same, folds)
    assert np.mean([right[folds == fold].mean() for fold in range(10)]) == ten_fold_accuracy(scores[0], same, folds)["value"]


def test_subtraction_is_that_of_numbers_and_never_below_half():
    for single, expected in ((0.3, 0.7), (0.8, 0.5), (0.0, 1.0)):
        assert without(np.array([[1.0]]), np.array([[single]]))[0, 0] == pytest.approx(expected)
    product = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert without(product, 0.1 * product) == pytest.approx(0.9 * product)
    assert without(np.zeros((2, 2)), np.zeros((2, 2))) == pytest.approx(0)


def test_too_few_subjects_are_refused():
    same = np.array([True, True, False, False])
    with pytest.raises(ValueError, match="impostor pairs of 1 pairs of subjects"):
        paired_bootstrap(np.array([[1.0, 2, 3, 4]]), same, (np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0])), resamples=100)


def test_subjects_without_genuine_pairs_add_no_degrees_of_freedom_to_a_tar():
    """Equal networks, six subjects with genuine pairs, 150 others: with all of them counted, 14.5 % of tests find p < 0.05."""
    rng = np.random.default_rng(2)
    genuine, others, each = 6, 150, 10
    same = np.arange(genuine * each + 2 * others) < genuine * each
    left = np.concatenate([np.repeat(np.arange(genuine), each), genuine + np.tile(np.arange(others), 2)])
    right = np.concatenate([left[same], genuine + (left[~same] - genuine + np.repeat([1, 2], others)) % others])
    rejected = []
    for seed in range(150):
        ease = np.append(rng.normal(size=(2, genuine)), np.zeros((2, others)), axis=1)
        scores = rng.normal(size=(2, len(same))) + same * (2.3 + ease[:, left])
        drawn = paired_bootstrap(scores, same, (left, right), fars=(0.1,), resamples=100, seed=seed)
        one, other = (Curve.of(row, same).val(0.1)[0] for row in scores)
        variance = float(drawn.covariance("val:0.1", np.array([[1.0, -1.0]]))[0, 0])
        rejected.append(student(one - other, variance, drawn.units.behind("val:0.1") - 1, genuine).p < 0.05)
    assert np.mean(rejected) < 0.08
