"""Pairs of cells: paired, corrected, with the seeds where there are replicates."""

import numpy as np
import pytest
from scipy import stats

from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.comparisons import Comparison, Comparisons, comparisons
from grid.analysis.observations import Items
from modules.metrics.auc_jackknife import AUCJackknife
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.paired_tests import Estimate, equivalence, holm, student
from modules.metrics.roc import Curve
from modules.metrics.verification import ten_fold_accuracy

N, PEOPLE = 400, 50


def scored(skills, seed=0):
    """Networks that share the difficulty of each pair, and of each subject."""
    rng = np.random.default_rng(seed)
    same = np.arange(N) % 2 == 0
    left = rng.integers(0, PEOPLE, N)
    right = np.where(same, left, (left + rng.integers(1, PEOPLE, N)) % PEOPLE)
    hard = rng.normal(size=N) + rng.normal(size=PEOPLE)[left]
    scores = np.stack([skill * same + 0.7 * hard + rng.normal(size=N) * 0.6 for skill in skills])
    return scores, same, (left, right), np.arange(N) // 2 % 10


def compared(scores, same, subjects, folds, groups, metric="auc", **more):
    drawn = paired_bootstrap(scores, same, subjects, folds=folds, resamples=300)
    values = [Curve.of(row, same).auc() if metric == "auc" else ten_fold_accuracy(row, same, folds)["value"] for row in scores]
    cells = CellContrasts(metric, groups, np.array(values), drawn)
    return comparisons(cells, Items(scores, same, folds, subjects), **more), drawn, values


def test_every_two_cells_are_tested_on_the_same_resamples_and_corrected():
    data = scored((2.0, 1.0, 1.9))
    found, drawn, values = compared(*data, [[0], [1], [2]])
    assert found.order == tuple(sorted(range(3), key=lambda n: -values[n]))
    known = []
    for pair in found.pairs:
        contrast = np.eye(3)[pair.first] - np.eye(3)[pair.second]
        variance = drawn.covariance("auc", contrast[None])[0, 0]
        expected = student(values[pair.first] - values[pair.second], variance, PEOPLE - 1, PEOPLE)
        assert vars(pair.difference) == pytest.approx(vars(expected))
        assert pair.difference.value >= 0
        left, right = (AUCJackknife.of(data[0][number], *data[1:3]) for number in (pair.first, pair.second))
        assert (pair.check.test, pair.check.p) == ("DeLong, subjects", left.minus(right).p)
        known.append(expected.p)
    assert [pair.adjusted for pair in found.pairs] == pytest.approx(holm(known))
    assert [pair.check.adjusted for pair in found.pairs] == pytest.approx(holm([pair.check.p for pair in found.pairs]))
    assert any(pair.check.adjusted > pair.check.p for pair in found.pairs)
    assert found.between(0, 1).differs
    assert found.between(1, 2).differs
    assert not found.between(0, 2).differs


def test_pairing_is_narrower_than_two_intervals_apart():
    found, drawn, _ = compared(*scored((2.0, 1.9)), [[0], [1]])
    (pair,) = found.pairs
    apart = np.trace(drawn.covariance("auc", np.eye(2)))
    assert (pair.difference.high - pair.difference.low) / 2 < 0.8 * stats.t.ppf(0.975, PEOPLE - 1) * apart**0.5


def test_the_margin_decides_what_is_equivalent():
    data = scored((2.0, 2.0))
    (narrow,), (wide,) = (compared(*data, [[0], [1]], margin=margin)[0].pairs for margin in (0.001, 0.2))
    assert narrow.equivalent > 0.05 > wide.equivalent
    with pytest.raises(ValueError, match="margin"):
        compared(*data, [[0], [1]], margin=0)


def test_replicates_add_the_variance_between_seeds():
    data = scored((2.0, 1.6, 1.2, 0.8))
    found, drawn, values = compared(*data, [[0, 1], [2, 3]])
    (pair,) = found.pairs
    contrast = np.array([[0.5, 0.5, -0.5, -0.5]])
    parts = [drawn.covariance("auc", contrast)[0, 0], np.var(values[:2], ddof=1) / 2, np.var(values[2:], ddof=1) / 2]
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (PEOPLE - 1) + parts[1] ** 2 + parts[2] ** 2)
    value = np.mean(values[:2]) - np.mean(values[2:])
    known = student(value, sum(parts), degrees, PEOPLE)
    assert (pair.difference.low, pair.difference.high, pair.difference.p) == pytest.approx((known.low, known.high, known.p))
    assert pair.equivalent == pytest.approx(equivalence(value, sum(parts), degrees, 0.01))
    assert pair.check.test == "DeLong, subjects"


def test_lower_is_better_orders_from_the_lowest():
    scores, same, subjects, folds = scored((2.0, 1.0))
    drawn = paired_bootstrap(scores, same, subjects, folds=folds, resamples=100)
    rates = [Curve.of(row, same).eer()[0] for row in scores]
    cells = CellContrasts("eer", [[0], [1]], np.array(rates), drawn)
    found = comparisons(cells, Items(scores, same, folds, None), lower_is_better=True)
    assert found.order == (0, 1)
    assert found.pairs[0].difference.value < 0
    assert found.pairs[0].check is None


def test_tied_sets_are_the_largest_runs_without_a_difference():
    def pair(first, second, p):
        return Comparison(first, second, Estimate(0.1, 0, 0.2, p), p, 1.0, None)

    differs = {(0, 3), (0, 2), (1, 3)}
    pairs = [pair(a, b, 0.01 if (a, b) in differs else 0.5) for a in range(4) for b in range(a + 1, 4)]
    found = Comparisons((0, 1, 2, 3), (4.0, 3.0, 2.0, 1.0), tuple(pairs), 0.01)
    assert found.tied == [(0, 1), (1, 2), (2, 3)]
    every = Comparisons((0, 1, 2, 3), found.values, tuple(pair(a, b, 0.01) for a in range(4) for b in range(a + 1, 4)), 0.01)
    assert every.tied == [(0,), (1,), (2,), (3,)]


def test_of_many_cells_the_best_and_those_asked_for_are_compared_and_corrected():
    data = scored((2.0, 1.0, 1.9, 1.5, 1.2))
    every, _, values = compared(*data, [[n] for n in range(5)])
    found, _, _ = compared(*data, [[n] for n in range(5)], most=2, asked=[1])
    order = tuple(sorted(range(5), key=lambda n: -values[n]))
    assert (found.order, found.compared, found.asked) == (order, (*order[:2], 1), (1,))
    assert {(pair.first, pair.second) for pair in found.pairs} == {order[:2], (order[0], 1), (order[1], 1)}
    for pair in found.pairs:
        assert vars(pair.difference) == pytest.approx(vars(every.between(pair.first, pair.second).difference))
    assert [pair.adjusted for pair in found.pairs] == pytest.approx(holm([pair.difference.p for pair in found.pairs]))
    assert every.compared == order


def runs_written_out(order, differ):
    """Every run of neighbors of which no two differ, but those inside another one."""
    good = [
        (a, b)
        for a in range(len(order))
        for b in range(a + 1, len(order) + 1)
        if not any((x, y) in differ for x in range(a, b) for y in range(x + 1, b))
    ]
    return [order[a:b] for a, b in good if not any((c, d) != (a, b) and c <= a and b <= d for c, d in good)]


def test_tied_sets_of_random_differences_are_those_written_out():
    rng = np.random.default_rng(1)
    for count in (2, 3, 8, 8, 8, 8, 15, 15):
        every = [(a, b) for a in range(count) for b in range(a + 1, count)]
        differ = {pair for pair in every if rng.random() < 0.08 * (pair[1] - pair[0])}
        pairs = [Comparison(a, b, Estimate(0.1, 0, 0.2, 0.5), 0.01 if (a, b) in differ else 0.5, 1.0, None) for a, b in every]
        found = Comparisons(tuple(range(count)), tuple(range(count, 0, -1)), tuple(pairs), 0.01)
        assert found.tied == runs_written_out(found.order, differ)


def test_equally_good_cells_differ_in_five_percent_at_most():
    """The short form of tests/bench/test_null_grids_bench.py: networks that differ in which subjects they find easy."""
    rng, below = np.random.default_rng(0), []
    for number in range(60):
        same = np.arange(200) % 2 == 0
        left = rng.integers(0, 30, 200)
        right = np.where(same, left, (left + rng.integers(1, 30, 200)) % 30)
        ease = rng.normal(size=(4, 30)) * 0.5
        scores = 1.5 * same + ease[:, left] + ease[:, right] * ~same + rng.normal(size=(4, 200)) * 0.7
        drawn = paired_bootstrap(scores, same, (left, right), resamples=100, seed=number)
        values = np.array([Curve.of(row, same).auc() for row in scores])
        cells = CellContrasts("auc", [[0], [1], [2], [3]], values, drawn)
        found = comparisons(cells, Items(scores, same, np.arange(200) % 10, None))
        below += [pair.difference.p < 0.05 for pair in found.pairs]
    assert np.mean(below) < 0.085  # 360 tests, of which six share four networks
