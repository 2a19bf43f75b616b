import itertools
import json
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import t as student_t
from single_numbers import auc, best_threshold_accuracy, eer, roc, val_at_far
from tied_scores import drawn, pairs

from modules.metrics.subject_bootstrap import subject_bootstrap
from modules.metrics.verification import ten_fold_accuracy, verification


def naive_points(scores, same):
    """(FAR, TAR) as fractions, by counting at each threshold."""
    points = [(Fraction(0), Fraction(0), np.inf)]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        false = sum(1 for s, g in zip(scores, same, strict=True) if not g and s >= threshold)
        true = sum(1 for s, g in zip(scores, same, strict=True) if g and s >= threshold)
        points.append((Fraction(false, int((~same).sum())), Fraction(true, int(same.sum())), threshold))
    return points


def naive_auc(scores, same):
    wins = Fraction(0)
    for a in scores[same]:
        for b in scores[~same]:
            wins += 1 if a > b else Fraction(1, 2) if a == b else 0
    return wins / (int(same.sum()) * int((~same).sum()))


def naive_eer(scores, same):
    points = naive_points(scores, same)
    for (far0, tar0, _), (far1, tar1, threshold) in itertools.pairwise(points):
        gap0, gap1 = far0 - (1 - tar0), far1 - (1 - tar1)
        if gap0 < 0 <= gap1:
            return far0 - gap0 / (gap1 - gap0) * (far1 - far0), threshold
    raise AssertionError


def naive_oracle(scores, same):
    """(correct, highest best point) by trying every set that a threshold can accept."""
    counts = [
        (sum(1 for s, g in zip(scores, same, strict=True) if (s >= threshold) == g), threshold)
        for _, _, threshold in naive_points(scores, same)
    ]
    best = max(count for count, _ in counts)
    return best, next(threshold for count, threshold in counts if count == best)


@given(pairs())
@settings(max_examples=150, deadline=None)
def test_everything_equals_counting(data):
    scores, same = data
    points = naive_points(scores, same)
    far, tar, thresholds = roc(scores, same)
    np.testing.assert_allclose(far, [float(point[0]) for point in points])
    np.testing.assert_allclose(tar, [float(point[1]) for point in points])
    assert thresholds.tolist() == [point[2] for point in points]
    assert auc(scores, same) == pytest.approx(float(naive_auc(scores, same)), abs=1e-15)
    assert eer(scores, same) == pytest.approx(float(naive_eer(scores, same)[0]), abs=1e-12)
    correct, lowest = naive_oracle(scores, same)
    accuracy, threshold = best_threshold_accuracy(scores, same)
    assert accuracy == correct / len(scores)
    assert (scores >= threshold).tolist() == (scores >= lowest).tolist()
    for target in (0.0, 0.1, 0.25, 0.5, 1.0):
        expected = [point for point in points if point[0] <= Fraction(target)][-1]
        value, threshold, found = val_at_far(scores, same, target)
        assert (value, found) == (float(expected[1]), float(expected[0]))
        assert np.isfinite(threshold)
        assert np.mean(scores[same] >= threshold) == pytest.approx(value)
        assert np.mean(scores[~same] >= threshold) <= target


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_a_monotone_transform_changes_no_rate(data):
    scores, same = data
    moved = np.exp(scores) * 3 - 1
    assert auc(moved, same) == auc(scores, same)
    assert eer(moved, same) == eer(scores, same)
    assert best_threshold_accuracy(moved, same)[0] == best_threshold_accuracy(scores, same)[0]
    for target in (0.1, 0.4):
        assert val_at_far(moved, same, target)[::2] == val_at_far(scores, same, target)[::2]


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_swapping_kinds_and_signs_changes_no_rate(data):
    scores, same = data
    assert auc(-scores, ~same) == pytest.approx(auc(scores, same), abs=1e-15)
    assert eer(-scores, ~same) == pytest.approx(eer(scores, same), abs=1e-12)
    assert best_threshold_accuracy(-scores, ~same)[0] == best_threshold_accuracy(scores, same)[0]
    assert auc(-scores, same) == pytest.approx(1 - auc(scores, same), abs=1e-15)


def test_known_answers():
    scores, same = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), np.array([1, 1, 0, 1, 0, 0], bool)
    assert auc(scores, same) == 8 / 9
    assert eer(scores, same) == pytest.approx(1 / 3)
    assert best_threshold_accuracy(scores, same) == (5 / 6, pytest.approx(0.75))
    assert val_at_far(scores, same, 0.0)[0] == pytest.approx(2 / 3)
    assert val_at_far(scores, same, 1 / 3)[0] == 1.0


def test_apart_means_perfect_and_reversed_means_worst():
    scores, same = np.array([3.0, 2.0, 1.0, 0.0]), np.array([1, 1, 0, 0], bool)
    assert (auc(scores, same), eer(scores, same), best_threshold_accuracy(scores, same)) == (1.0, 0.0, (1.0, 1.5))
    assert (auc(scores, ~same), eer(scores, ~same)) == (0.0, 1.0)


def test_equal_scores_say_nothing():
    scores, same = np.zeros(10), np.arange(10) < 5
    assert (auc(scores, same), eer(scores, same), best_threshold_accuracy(scores, same)[0]) == (0.5, 0.5, 0.5)
    assert val_at_far(scores, same, 0.9)[::2] == (0.0, 0.0)


def test_neighboring_floats_are_told_apart():
    low = 0.1
    high = np.nextafter(low, 1)
    scores, same = np.array([high, low]), np.array([True, False])
    accuracy, threshold = best_threshold_accuracy(scores, same)
    assert accuracy == 1.0
    assert (scores >= threshold).tolist() == [True, False]


def test_tenfold_is_the_written_procedure():
    scores, same, folds = drawn(300)
    found = ten_fold_accuracy(scores, same, folds)
    accuracies = []
    for fold in range(10):
        train = folds != fold
        levels = sorted(set(scores[train].tolist()), reverse=True)
        candidates = [np.nextafter(levels[0], np.inf)]
        candidates += [(a + b) / 2 for a, b in itertools.pairwise(levels)]
        candidates += [levels[-1]]
        correct = [int(((scores[train] >= c) == same[train]).sum()) for c in candidates]
        threshold = candidates[correct.index(max(correct))]
        assert found["thresholds"][fold] == pytest.approx(threshold)
        accuracies.append(np.mean((scores[~train] >= threshold) == same[~train]))
    assert found["folds"] == pytest.approx(accuracies)
    assert found["value"] == pytest.approx(np.mean(accuracies))
    assert found["se"] == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(10))
    assert found["high"] - found["value"] == pytest.approx(student_t.ppf(0.975, 9) * found["se"])


def test_tenfold_does_not_depend_on_the_order_of_pairs():
    scores, same, folds = drawn(300)
    order = np.random.default_rng(1).permutation(300)
    assert ten_fold_accuracy(scores, same, folds) == ten_fold_accuracy(scores[order], same[order], folds[order])


def test_one_fold_is_refused():
    scores, same, _ = drawn(20)
    with pytest.raises(ValueError, match="two folds"):
        ten_fold_accuracy(scores, same, np.zeros(20, int))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_names_its_row(bad):
    scores, same, folds = drawn(20)
    scores[7] = bad
    with pytest.raises(ValueError, match="row 7"):
        verification(scores, same, folds)


def test_one_kind_of_pair_is_refused():
    with pytest.raises(ValueError, match="0 of 3"):
        auc(np.zeros(3), np.zeros(3, bool))


def test_the_report_has_its_shape():
    scores, same, folds = drawn(300)
    found = json.loads(json.dumps(verification(scores, same, folds, fars=(0.1, 0.01, 0.001)), allow_nan=False))
    assert list(found) == ["pairs", "genuine", "impostor", "best_threshold", "ten_fold", "eer", "auc", "val", "confusion"]
    assert list(found["best_threshold"]) == ["value", "low", "high", "method", "threshold", "wilson"]
    assert list(found["eer"]) == ["value", "low", "high", "method", "threshold", "pair_bootstrap"]
    assert list(found["ten_fold"]) == ["value", "low", "high", "method", "se", "folds", "thresholds", "student"]
    assert list(found["val"]) == ["0.1", "0.01", "0.001"]
    assert list(found["val"]["0.1"]) == ["value", "low", "high", "method", "threshold", "far", "pair_bootstrap"]
    assert found["val"]["0.001"]["value"] is None
    assert "impostor pairs cannot show a FAR of 0.001" in found["val"]["0.001"]["reason"]
    table = found["confusion"]
    assert table["true_accept"] + table["false_reject"] == found["genuine"]
    assert table["false_accept"] + table["true_reject"] == found["impostor"]
    assert (table["true_accept"] + table["true_reject"]) / 300 == found["best_threshold"]["value"]
    for name in ("best_threshold", "ten_fold", "eer", "auc"):
        assert 0 <= found[name]["low"] <= found[name]["value"] <= found[name]["high"] <= 1


INTERVALS = {"best_threshold": "wilson", "ten_fold": "student", "eer": "pair_bootstrap", "auc": "delong"}


def test_where_subjects_are_known_the_interval_is_that_of_the_subject_bootstrap():
    scores, same, folds = drawn(300)
    left = np.arange(300) % 30
    subjects = (left, np.where(same, left, (left + 1 + np.arange(300) % 29) % 30))
    plain = verification(scores, same, folds)
    found = verification(scores, same, folds, subjects=subjects)
    known = subject_bootstrap(scores, same, *subjects, folds=folds, fars=(0.1, 0.01))
    assert found["subjects"] == {"subjects": 30, "resamples": 1000}
    entries = [(found[name], plain[name], getattr(known, name), INTERVALS[name]) for name in INTERVALS]
    entries += [(found["val"][far], plain["val"][far], known.val[float(far)], "pair_bootstrap") for far in ("0.1", "0.01")]
    for entry, before, ends, other in entries:
        assert (entry["low"], entry["high"]) == ends
        assert entry["method"] == ("subject jackknife" if entry is found["auc"] else "subject bootstrap")
        assert entry[other] == before[other] == {"low": before["low"], "high": before["high"]}
        assert "subject" not in before["method"]
        assert entry["value"] == before["value"]
    assert found["ten_fold"]["se"] == plain["ten_fold"]["se"]
    assert found["val"]["0.001"] == plain["val"]["0.001"]


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        (np.array([0, 0, 1, 1]), np.array([0, 0, 2, 2]), "genuine pairs are of 1 subjects"),
        (np.arange(4), np.arange(4) + 9, "row 0 is genuine"),
    ],
)
def test_without_enough_known_subjects_the_other_intervals_stay_and_the_reason_is_said(left, right, reason):
    data = np.array([0.9, 0.4, 0.3, 0.6]), np.array([1, 1, 0, 0], bool), np.array([0, 1, 0, 1])
    found = verification(*data, subjects=(left, right))
    assert reason in found.pop("subjects")["reason"]
    assert found == verification(*data)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", ["separated", "reversed", "equal", "two values"])
def test_no_interval_has_width_0(kind, known):
    same, left = np.arange(200) % 2 == 0, np.arange(200) % 20
    scores = {"separated": same, "reversed": ~same, "equal": same * 0, "two values": (np.arange(200) % 4) // 2}[kind] * 0.5
    subjects = (left, np.where(same, left, (left + 3) % 20)) if known else None
    found = verification(scores, same, np.arange(200) // 20, fars=(0.1, 0.01), subjects=subjects)
    entries = [(found[name], other) for name, other in INTERVALS.items()]
    entries += [(entry, "pair_bootstrap") for entry in found["val"].values()]
    for entry, other in entries:
        for ends in (entry, entry[other]):
            assert 0 <= ends["low"] <= entry["value"] + 1e-12
            assert entry["value"] - 1e-12 <= ends["high"] <= 1
            assert ends["high"] - ends["low"] > 0.01
    if kind == "separated":
        exact = 0.05 ** (1 / 10) if known else 0.025 ** (1 / 100)  # no error of n; ten subjects have genuine pairs, mid-P
        assert found["auc"]["low"] == pytest.approx(exact, abs=0.02)


def test_the_report_is_the_same_for_the_same_seed_and_any_order():
    scores, same, folds = drawn(200)
    order = np.random.default_rng(1).permutation(200)
    one = verification(scores, same, folds, fars=(0.1,), resamples=50)
    assert one == verification(scores[order], same[order], folds[order], fars=(0.1,), resamples=50)
    assert one != verification(scores, same, folds, fars=(0.1,), resamples=50, seed=1)


def test_six_thousand_pairs_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    same = np.arange(6000) % 2 == 0
    scores = rng.normal(size=6000) + 2 * same
    verification(scores[:60], same[:60], np.arange(60) % 10, resamples=2)  # imports scipy
    began = time.process_time()
    verification(scores, same, np.arange(6000) // 600)
    assert time.process_time() - began < 2
