import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm, t
from single_numbers import auc, best_threshold_accuracy, eer, val_at_far

from modules.metrics import subject_bootstrap as module
from modules.metrics.auc_interval import auc_interval
from modules.metrics.intervals import bootstrap, delong, effective, mid_p
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.roc import Curve
from modules.metrics.subject_bootstrap import subject_bootstrap
from modules.metrics.verification import ten_fold_accuracy


def gallery(people=20, images=4, size=6, noise=1.0, seed=0, spread=0.0):
    """Every pair of every image, with the subjects; some subjects' images vary more than others'."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), images)
    noises = noise * np.exp(spread * rng.normal(size=people))
    embeddings = rng.normal(size=(people, size))[who] + noises[who, None] * rng.normal(size=(len(who), size))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    one, other = np.triu_indices(len(who), 1)
    scores = np.einsum("nd,nd->n", embeddings[one], embeddings[other])
    return scores, who[one] == who[other], who[one], who[other]


def repeated(times, scores, same, left, right, folds):
    """The pairs of one resample, written out, with twice the weights: the sum of two counts; genuine pairs add 1."""
    weights = np.where(same, times[left] + 1, times[left] + times[right])
    return tuple(np.repeat(values, weights) for values in (scores, same, folds))


def test_a_resample_has_the_metrics_of_its_pairs_written_out():
    scores, same, left, right = gallery(people=9, images=3)
    scores, folds = scores.round(2), np.minimum(left, right) % 3
    order = np.argsort(-scores, kind="stable")
    scores, same, left, right, folds = (values[order] for values in (scores, same, left, right, folds))
    times = module.times_drawn(np.random.default_rng(0), 9, 40)
    assert (times.sum(axis=1) == 9).all()
    both = module.columns(same, left, right, 9)
    pairs = module.WeightedPairs(scores, same, *both, [folds == number for number in range(3)])
    found = pairs.metrics(module.with_ones(times), (0.1, 0.01))
    compared = 0
    for row in range(40):
        drawn = repeated(times[row], scores, same, left, right, folds)
        assert found["auc"][row] == pytest.approx(auc(*drawn[:2]))
        assert found["eer"][row] == pytest.approx(eer(*drawn[:2]))
        assert found["best_threshold"][row] == pytest.approx(best_threshold_accuracy(*drawn[:2])[0])
        for far in (0.1, 0.01):
            assert found[f"val:{far}"][row] == pytest.approx(val_at_far(*drawn[:2], far)[0])
        if len(np.unique(drawn[2])) >= 2:  # a fold may be empty
            compared += 1
            assert found["ten_fold"][row] == pytest.approx(ten_fold_accuracy(*drawn)["value"])
    assert compared > 35
    assert np.isfinite(found["ten_fold"]).all()


def test_a_seed_gives_one_result_whatever_the_blocks_and_the_order(monkeypatch):
    data = gallery(people=8)
    one = subject_bootstrap(*data, resamples=30, fars=(0.1,), seed=1)
    assert one == subject_bootstrap(*data, resamples=30, fars=(0.1,), seed=1)
    assert one != subject_bootstrap(*data, resamples=30, fars=(0.1,), seed=2)
    order = np.random.default_rng(0).permutation(len(data[0]))
    assert one == subject_bootstrap(*(values[order] for values in data), resamples=30, fars=(0.1,), seed=1)
    names = np.array(list("abcdefgh"))
    assert one == subject_bootstrap(data[0], data[1], names[data[3]], names[data[2]], resamples=30, fars=(0.1,), seed=1)
    monkeypatch.setattr(module, "VALUES", 1)
    assert one == subject_bootstrap(*data, resamples=30, fars=(0.1,), seed=1)


def test_the_intervals_hold_the_value():
    scores, same, left, right = gallery(people=40)
    some = same | (np.random.default_rng(0).random(len(same)) < 240 / 12_480)  # as many of either kind, as on LFW
    scores, same, left, right = scores[some], same[some], left[some], right[some]
    folds = left % 3
    found = subject_bootstrap(scores, same, left, right, folds=folds, resamples=200, fars=(0.1, 0.01))
    assert found.subjects == 40
    assert found.resamples == 200
    for (low, high), value in (
        (found.auc, auc(scores, same)),
        (found.eer, eer(scores, same)),
        (found.ten_fold, ten_fold_accuracy(scores, same, folds)["value"]),
        (found.val[0.1], val_at_far(scores, same, 0.1)[0]),
        (found.val[0.01], val_at_far(scores, same, 0.01)[0]),
    ):
        assert low < value < high
    assert found.best_threshold[0] < best_threshold_accuracy(scores, same)[0] < found.best_threshold[1]
    assert subject_bootstrap(scores, same, left, right, resamples=5).ten_fold is None


def test_where_pairs_share_subjects_a_bootstrap_of_pairs_promises_too_much():
    """Experiments of a known truth: how often the interval of the EER holds it: pairs 45 %, subjects 90 %."""
    kind = {"people": 16, "images": 5, "size": 8, "noise": 0.8, "spread": 0.8}
    truth = np.mean([eer(*gallery(**{**kind, "people": 150}, seed=1000 + seed)[:2]) for seed in range(3)])
    inside = {"subjects": 0, "pairs": 0}
    for seed in range(60):
        scores, same, left, right = gallery(**kind, seed=seed)
        low, high = subject_bootstrap(scores, same, left, right, fars=(), resamples=80, seed=seed).eer
        inside["subjects"] += low <= truth <= high
        (low, high), _ = bootstrap(Curve.of(scores, same), (), 40, seed)
        inside["pairs"] += low <= truth <= high
    assert inside["pairs"] / 60 < 0.6
    assert inside["subjects"] / 60 > 0.8


@pytest.mark.parametrize("empty", ["a fold", "the impostor pairs of a fold"])
def test_a_fold_that_a_resample_leaves_empty_does_not_void_it(empty):
    scores, same, left, right = gallery(people=10, images=3)
    folds = np.minimum(left, right) % 3
    if empty == "a fold":
        folds[(left == 4) & (right == 4)] = 7  # three pairs of one subject, who is drawn in 65 % of the resamples
    else:
        folds[same & (left < 2)] = 7
    found = subject_bootstrap(scores, same, left, right, folds=folds, resamples=100)
    assert found.resamples == 100
    assert 0 < found.ten_fold[0] < ten_fold_accuracy(scores, same, folds)["value"] < found.ten_fold[1] <= 1
    assert found.auc == subject_bootstrap(scores, same, left, right, resamples=100).auc


def test_intervals_of_well_separated_pairs_hold_the_truth():
    """Many of these 60 sets show no error at all, where percentiles of resamples are a point."""
    kind = {"people": 24, "images": 3, "size": 6, "noise": 0.08, "spread": 0.5}
    sets = [gallery(**kind, seed=seed) for seed in range(60)]
    truth = np.mean([auc(*one[:2]) for one in sets])
    found = [subject_bootstrap(*one, fars=(), resamples=80).auc for one in sets]
    assert sum(auc(*one[:2]) == 1 for one in sets) >= 10
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.85


def test_labels_that_disagree_with_the_subjects_are_named():
    scores, same, left, right = gallery(people=5)
    same[7] = ~same[7]
    with pytest.raises(ValueError, match=r"row 7 is (genuine|an impostor)"):
        subject_bootstrap(scores, same, left, right)
    with pytest.raises(ValueError, match="each pair has one of each"):
        subject_bootstrap(scores, same, left[1:], right)


def test_too_few_subjects_are_refused():
    scores, same = np.array([0.9, 0.1]), np.array([True, False])
    with pytest.raises(ValueError, match="are of 1 subjects and impostor pairs of 1 pairs"):
        subject_bootstrap(scores, same, np.array([0, 0]), np.array([0, 1]), folds=np.array([0, 1]), resamples=50)
    with pytest.raises(ValueError, match="row 1"):
        subject_bootstrap(np.array([0.9, np.nan]), same, np.array([0, 0]), np.array([0, 1]))


def test_without_numbers_there_are_no_warnings(recwarn):
    scores, same, left, right = gallery(people=3, images=2)
    found = subject_bootstrap(scores, same, left, right, resamples=100, fars=(0.5,))
    assert found.resamples == 100
    assert not list(recwarn)


def lists_of_few_twos(people=40, n=1600, seed=1):
    """Impostor pairs of neighbors only, so that many are of the same two subjects; what two subjects share weighs most."""
    rng = np.random.default_rng(seed)
    same = np.arange(n) % 4 == 0
    left = rng.integers(0, people, n)
    right = np.where(same, left, (left + rng.integers(1, 3, n)) % people)
    turned = rng.random(n) < 0.5
    left, right = np.where(turned, left, right), np.where(turned, right, left)
    ease, alike = rng.normal(size=people) * 0.3, rng.normal(size=(people, people))
    shared = np.where(same, 0, (alike + alike.T)[left, right]) * 0.6
    return 1.5 * same + shared + ease[left] + rng.normal(size=n) * 0.5, same, left, right


def naive_variance(scores, same, left, right):
    """Of the AUC: squared sums of influences per subject, less those per two subjects, which are in the former twice.

    The sums of S subjects are as much too small as two of S residuals are.
    """
    genuine, impostor = scores[same], scores[~same]
    wins = np.array([np.mean((one > impostor) + 0.5 * (one == impostor)) for one in genuine])
    losses = np.array([np.mean((genuine > one) + 0.5 * (genuine == one)) for one in impostor])
    influence = np.empty(len(scores))
    influence[same], influence[~same] = (wins - wins.mean()) / len(wins), (losses - wins.mean()) / len(losses)
    of_one, of_two = {}, {}
    for a, b, value in zip(left.tolist(), right.tolist(), influence.tolist(), strict=True):
        for subject in {a, b}:
            of_one[subject] = of_one.get(subject, 0.0) + value
        if a != b:
            of_two[frozenset((a, b))] = of_two.get(frozenset((a, b)), 0.0) + value
    total = sum(value**2 for value in of_one.values()) / (1 - 2 / len(of_one))
    return total - sum(value**2 for value in of_two.values())


def test_the_variance_counts_once_what_the_pairs_of_two_subjects_add():
    """Here the variance would be nearly twice as large if single pairs were subtracted."""
    data = scores, same, left, right = lists_of_few_twos()
    expected = naive_variance(*data)
    drawn = paired_bootstrap(scores[None], same, (left, right), resamples=4000)
    assert drawn.covariance("auc", np.eye(1))[0, 0] == pytest.approx(expected, rel=0.1)
    low, high = subject_bootstrap(*data, resamples=4000, fars=()).eer
    variance = drawn.covariance("eer", np.eye(1))[0, 0]
    assert (low, high) == pytest.approx(effective(eer(scores, same), variance, 40, len(scores), mid_p), abs=0.05 * (high - low))
    low, high = auc_interval(*data)
    area = auc(scores, same)
    half = np.diff(logit([low, high]))[0] / 2
    assert half == pytest.approx(t.ppf(0.975, 39) * expected**0.5 / (area * (1 - area)), rel=0.1)  # 39 degrees or a few less


def test_where_scores_have_nothing_to_do_with_subjects_intervals_are_those_of_independent_pairs():
    rng = np.random.default_rng(0)
    left = np.tile(np.arange(60), 10)
    same = np.arange(600) < 300
    right = np.where(same, left, (left + 1 + np.arange(600) // 60) % 60)
    ratios = []
    for seed in range(12):
        scores = rng.normal(size=600) + 1.5 * same
        low, high = subject_bootstrap(scores, same, left, right, fars=(), resamples=200, seed=seed).auc
        independent = delong(scores, same)
        ratios.append((high - low) / (independent[1] - independent[0]))
    assert 0.9 < np.mean(ratios) < 1.15


@pytest.mark.parametrize("genuine", [4, 10])
def test_subjects_with_impostor_pairs_alone_are_no_evidence_of_a_tar(genuine):
    """TAR varies over subjects; with all 204 or 210 subjects counted, 80 and 90 % of the intervals hold it."""
    rng = np.random.default_rng(1)
    others, each, shift = 200, 10, 2.3
    same = np.arange(genuine * each + 2 * others) < genuine * each
    left = np.concatenate([np.repeat(np.arange(genuine), each), genuine + np.tile(np.arange(others), 2)])
    step = np.repeat([1, 2], others)
    right = np.concatenate([left[same], genuine + (left[~same] - genuine + step) % others])
    truth = norm.cdf((shift - norm.isf(0.1)) / 2**0.5)
    held = []
    for seed in range(120):
        scores = rng.normal(size=len(same)) + same * (shift + np.append(rng.normal(size=genuine), np.zeros(others))[left])
        low, high = subject_bootstrap(scores, same, left, right, fars=(0.1,), resamples=100, seed=seed).val[0.1]
        held.append(low <= truth <= high)
    assert np.mean(held) > 0.925
    found = subject_bootstrap(same + 0.1 * rng.random(len(same)), same, left, right, fars=(0.1,), resamples=50)
    assert found.val[0.1] == found.auc == (pytest.approx(0.05 ** (1 / genuine)), 1.0)
    assert found.eer == (0.0, pytest.approx(1 - 0.05 ** (1 / genuine)))
    assert found.subjects == genuine + others
