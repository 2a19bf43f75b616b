"""How often the tests find a difference where there is none: grids of equally good networks on the same pairs."""

import itertools
import os
from functools import partial

import numpy as np
import pytest

from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.comparisons import MOST_CELLS, comparisons
from grid.analysis.effects import effects
from grid.analysis.observations import Items
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.paired_tests import equivalence
from modules.metrics.roc import Curve
from modules.metrics.verification import ten_fold_accuracy

GRIDS = int(os.environ.get("GRIDS", "2000"))
PEOPLE, N = 60, 600
LEVELS = [{"a": a, "b": b} for a in "xy" for b in "pq"]
AXES = {"a": ("x", "y"), "b": ("p", "q")}


def null_grid(rng, cells=4, people=PEOPLE, n=N):
    """Scores of equally good networks: a pair or subject is equally hard for all, and each network has subjects of its own."""
    same = np.arange(n) % 2 == 0
    left = rng.integers(0, people, n)
    right = np.where(same, left, (left + 1 + rng.integers(0, people - 1, n)) % people)
    ease = rng.normal(size=people) * 0.5
    scores = []
    for _ in range(cells):
        mine = ease + rng.normal(size=people) * 0.5
        scores.append(1.5 * same + mine[left] * np.where(same, 1, 0.7) + mine[right] * np.where(same, 0, 0.7))
        scores[-1] = scores[-1] + rng.normal(size=n) * 0.6
    return np.stack(scores) + rng.normal(size=n) * 0.6, same, left, right, np.arange(n) // 2 % 10


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_the_size_of_the_tests_over_subjects():
    rng = np.random.default_rng(1)
    terms, pairs, delong, mcnemar = {}, {}, [], []
    for number in range(GRIDS):
        scores, same, left, right, folds = null_grid(rng)
        drawn = paired_bootstrap(scores, same, (left, right), folds=folds, fars=(0.1, 0.01), resamples=200, seed=number)
        curves = [Curve.of(row, same) for row in scores]
        values = {
            "best_threshold": [curve.best()[0] / N for curve in curves],
            "ten_fold": [ten_fold_accuracy(row, same, folds)["value"] for row in scores],
            "eer": [curve.eer()[0] for curve in curves],
            "auc": [curve.auc() for curve in curves],
            "val:0.1": [curve.val(0.1)[0] for curve in curves],
            "val:0.01": [curve.val(0.01)[0] for curve in curves],
        }
        items = Items(scores, same, folds, (left, right))
        for key, found in values.items():
            judged = effects(LEVELS, [0] * 4, found, AXES, partial(drawn.covariance, key), drawn.units.behind(key))
            terms.setdefault(key, []).extend(term.items.p < 0.05 for term in judged.terms)
            compared = comparisons(CellContrasts(key, [[0], [1], [2], [3]], np.array(found), drawn), items)
            pairs.setdefault(key, []).extend(pair.difference.p < 0.05 for pair in compared.pairs)
            if key == "auc":
                delong.extend(pair.check.p < 0.05 for pair in compared.pairs)
            if key == "best_threshold":
                mcnemar.extend(pair.check.p < 0.05 for pair in compared.pairs)
    for key in terms:
        print(f"{key}: effects {np.mean(terms[key]):.1%}, pairs of cells {np.mean(pairs[key]):.1%}")
        assert np.mean(terms[key]) < 0.065
        assert np.mean(pairs[key]) < 0.065
    print(f"DeLong over subjects: {np.mean(delong):.1%}; McNemar: {np.mean(mcnemar):.1%}")
    assert np.mean(delong) < 0.065


@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shape", [(2, 2), (3,), (4,), (5,), (20,), (5, 5), (8, 8)])
@pytest.mark.parametrize(("people", "n"), [(60, 600), (400, 2000)])
@pytest.mark.parametrize("resamples", [200, 1000])
def test_the_size_and_power_of_terms_with_many_parameters(shape, people, n, resamples):
    """The AUC, without an effect, and with separations that differ between cells by a standard deviation of 0.08."""
    rng = np.random.default_rng(6)
    axes = {axis: tuple(map(str, range(count))) for axis, count in zip("ab", shape, strict=False)}
    levels = [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())]
    gaps = 0.08 * np.random.default_rng(7).normal(size=(len(levels), 1))
    hits = {}
    for number in range(GRIDS // 10):
        scores, same, left, right, _ = null_grid(rng, len(levels), people, n)
        for effect in (0, gaps):
            shown = scores + effect * same
            drawn = paired_bootstrap(shown, same, (left, right), resamples=resamples, seed=number)
            values = [Curve.of(row, same).auc() for row in shown]
            judged = effects(
                levels, [0] * len(levels), values, axes, partial(drawn.covariance, "auc"), drawn.units.behind("auc")
            )
            for term in judged.terms:
                of_kind = hits.setdefault((term.parameters, len(term.term)), ([], []))
                of_kind[effect is gaps].append(term.items.p < 0.05)
    for (parameters, _), (null, power) in hits.items():
        design = f"{people} subjects, {resamples} resamples, {' x '.join(map(str, shape))} cells, {parameters} parameters"
        print(f"{design}: {np.mean(null):.1%} without effect, {np.mean(power):.1%} with one")
        assert np.mean(null) < 0.05 + 3 * (0.05 / len(null)) ** 0.5


@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("missing", [0, 4])
def test_the_size_of_the_f_tests_over_seeds(missing):
    """3 x 2 cells with 3 replicates that share a replicate's effect; some values missing at random."""
    rng = np.random.default_rng(2)
    axes = {"a": ("x", "y", "z"), "b": ("p", "q")}
    cells = [{"a": a, "b": b} for a in axes["a"] for b in axes["b"] for _ in range(3)]
    hits = {}
    for _ in range(GRIDS):
        kept = np.sort(rng.permutation(18)[missing:])
        values = rng.normal(size=18) + rng.normal(size=3)[np.arange(18) % 3]
        found = effects([cells[row] for row in kept], list(kept % 3), values[kept], axes, mixed=False)
        for term in found.terms:
            hits.setdefault(term.name, []).append(term.seeds.p < 0.05)
    for term, found in hits.items():
        print(f"F over seeds, {missing} values missing, {term}: {np.mean(found):.1%}")
        assert np.mean(found) == pytest.approx(0.05, abs=0.015)


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_the_size_of_comparisons_with_replicates():
    """Two equal networks with 3 seeds, which scatter."""
    rng = np.random.default_rng(3)
    wrong = []
    for number in range(GRIDS):
        scores, same, left, right, folds = null_grid(rng)
        seeds = scores[:2].repeat(3, axis=0) + rng.normal(size=(6, N)) * 0.3
        drawn = paired_bootstrap(seeds, same, (left, right), folds=folds, fars=(), resamples=200, seed=number)
        values = [Curve.of(row, same).auc() for row in seeds]
        items = Items(seeds, same, folds, (left, right))
        found = comparisons(CellContrasts("auc", [[0, 1, 2], [3, 4, 5]], np.array(values), drawn), items).pairs[0]
        wrong.append(found.difference.p < 0.05)
    print(f"comparisons of means over 3 seeds: {np.mean(wrong):.1%}")
    assert np.mean(wrong) < 0.065


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_any_wrong_difference_among_the_best_of_60_equal_cells():
    """Only the best ``MOST_CELLS`` are compared, and p is corrected for these pairs: they were chosen by the same scores."""
    rng = np.random.default_rng(5)
    wrong = {"auc": [], "eer": []}
    for number in range(GRIDS // 4):
        scores, same, left, right, folds = null_grid(rng, 60)
        drawn = paired_bootstrap(scores, same, (left, right), folds=folds, fars=(), resamples=200, seed=number)
        curves = [Curve.of(row, same) for row in scores]
        values = {"auc": [curve.auc() for curve in curves], "eer": [curve.eer()[0] for curve in curves]}
        items = Items(scores, same, folds, (left, right))
        for key, found in values.items():
            groups = [[cell] for cell in range(60)]
            compared = comparisons(CellContrasts(key, groups, np.array(found), drawn), items, lower_is_better=key == "eer")
            assert len(compared.pairs) == MOST_CELLS * (MOST_CELLS - 1) // 2
            wrong[key].append(any(pair.differs for pair in compared.pairs))
    for key, found in wrong.items():
        print(f"{key}: any difference among the best {MOST_CELLS} of 60 equal cells in {np.mean(found):.1%} of grids")
        assert np.mean(found) < 0.08


@pytest.mark.bench
def test_the_size_of_tost():
    """Differences of 60 subjects whose true mean is just the margin, which must not be called smaller."""
    rng = np.random.default_rng(4)
    margin, equal = 0.02, []
    for _ in range(5 * GRIDS):
        found = rng.normal(margin, 0.03, 60)
        equal.append(equivalence(float(found.mean()), float(found.var(ddof=1)) / 60, 59, margin) < 0.05)
    print(f"TOST at the margin: {np.mean(equal):.1%}")
    assert np.mean(equal) == pytest.approx(0.05, abs=0.01)
