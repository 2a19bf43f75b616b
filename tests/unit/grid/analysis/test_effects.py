"""Effects against a two-way ANOVA by hand, statsmodels on balanced and unbalanced data, and simulated null grids."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from grid.analysis.effects import effects
from modules.metrics.paired_bootstrap import SUBJECTS, PairedBootstrap
from modules.metrics.resampled_units import ResampledUnits

AXES = {"a": ("x", "y", "z"), "b": ("p", "q")}


def table(replicates=4, seed=1, axes=AXES):
    rng = np.random.default_rng(seed)
    rows = [dict(zip(axes, levels, strict=True)) for levels in itertools.product(*axes.values()) for _ in range(replicates)]
    data = pd.DataFrame(rows)
    data["r"] = np.arange(len(data)) % replicates
    data["v"] = rng.normal(size=len(data)) + 1.5 * (data.a == "x") + 0.7 * data.r
    return data


def found_in(data, axes=AXES, **more):
    return effects(data[list(axes)].to_dict("records"), list(data.r), list(data.v), axes, **more)


def test_a_two_way_anova_by_hand():
    """Montgomery's layout: two factors, replicates as blocks; every sum of squares from means of the balanced table."""
    data = table()
    cube = data.v.to_numpy().reshape(3, 2, 4)
    mean = cube.mean()
    a, b = cube.mean(axis=(1, 2)) - mean, cube.mean(axis=(0, 2)) - mean
    both = cube.mean(axis=2) - mean - a[:, None] - b
    block = cube.mean(axis=(0, 1)) - mean
    total = ((cube - mean) ** 2).sum()
    squares = [8 * (a**2).sum(), 12 * (b**2).sum(), 4 * (both**2).sum()]
    error = total - sum(squares) - 6 * (block**2).sum()
    found = found_in(data)
    assert found.mean == pytest.approx(mean)
    for term, known, free in zip(found.terms, squares, (2, 1, 2), strict=True):
        assert term.squares == pytest.approx(known, rel=1e-9)
        assert term.seeds.f == pytest.approx(known / free / (error / 15), rel=1e-9)
        assert term.eta_squared == pytest.approx(known / total)
        assert term.partial_eta_squared == pytest.approx(known / (known + error))
    assert [one.value for one in found.terms[0].levels] == pytest.approx(a)
    assert [one.value for one in found.terms[2].levels] == pytest.approx(both.ravel())
    assert found.terms[0].deviation == pytest.approx(np.sqrt((a**2).mean()))


@pytest.mark.parametrize("left_out", [(), (1, 2, 7, 10, 15)])
def test_type_3_is_that_of_statsmodels_on_balanced_and_unbalanced_grids(left_out):
    data = table().drop(index=list(left_out)).reset_index(drop=True)
    found = found_in(data)
    known = anova_lm(smf.ols("v ~ C(a, Sum) * C(b, Sum) + C(r, Sum)", data).fit(), typ=3)
    for term, row in zip(found.terms, ("C(a, Sum)", "C(b, Sum)", "C(a, Sum):C(b, Sum)"), strict=True):
        assert term.squares == pytest.approx(known.sum_sq[row], rel=1e-6)
        assert term.seeds.p == pytest.approx(known["PR(>F)"][row], rel=1e-6)


def test_the_interval_of_a_level_is_that_of_statsmodels():
    data = table().drop(index=[1, 2, 7]).reset_index(drop=True)
    fit = smf.ols("v ~ C(a, Sum) * C(b, Sum) + C(r, Sum)", data).fit()
    level = found_in(data).terms[0].levels[0]
    assert level.value == pytest.approx(fit.params["C(a, Sum)[S.x]"])
    assert (level.seeds.low, level.seeds.high) == pytest.approx(tuple(fit.conf_int().loc["C(a, Sum)[S.x]"]))
    assert level.seeds.p == pytest.approx(fit.pvalues["C(a, Sum)[S.x]"])


def test_in_a_balanced_grid_it_is_the_test_of_the_mixed_model():
    data = table()
    fit = smf.mixedlm("v ~ C(a, Sum) * C(b, Sum)", data, groups=data.r).fit(reml=True)
    assert float(fit.cov_re.iloc[0, 0]) > 0
    names = ["C(a, Sum)[S.x]", "C(a, Sum)[S.y]"]
    values, covariance = fit.params[names].to_numpy(), fit.cov_params().loc[names, names].to_numpy()
    assert found_in(data).terms[0].seeds.f == pytest.approx(values @ np.linalg.inv(covariance) @ values / 2, rel=1e-4)


def test_one_replicate_has_no_test_of_seeds_and_the_items_alone_judge():
    data = table(replicates=1)
    spread = np.diag(np.full(6, 0.04))
    found = found_in(data, covariance=lambda rows: rows @ spread @ rows.T, units=50)
    assert found.seed is None
    for term in found.terms:
        assert (term.seeds, term.partial_eta_squared) == (None, None)
        assert term.adjusted == term.items.adjusted
    a = data.v.to_numpy().reshape(3, 2).mean(axis=1)
    contrast = a - a.mean()
    level = found.terms[0].levels[0]
    variance = 0.04 * (2 / 3) ** 2 / 2 + 2 * 0.04 * (1 / 3) ** 2 / 2
    assert level.value == pytest.approx(contrast[0])
    assert ((level.items.high - level.items.low) / 2) ** 2 == pytest.approx(variance * 2.0095752371292397**2)  # t, 49 degrees
    assert found.components["test items, one cell"] == pytest.approx(0.2)


def test_items_and_seeds_must_agree():
    data = table()
    noisy = found_in(data, covariance=lambda rows: rows @ np.eye(24) @ rows.T * 1e4, units=50)
    assert noisy.terms[0].seeds.adjusted < 0.05 < noisy.terms[0].items.adjusted
    assert noisy.terms[0].adjusted == noisy.terms[0].items.adjusted


def test_replicates_that_are_not_crossed_with_cells_are_still_estimated():
    """Each cell has a replicate of its own number: blocks and cells are aliased, so blocks are left out."""
    cells = [{"b": "p"}, {"b": "q"}]
    found = effects(cells, [0, 1], [1.0, 3.0], {"b": ("p", "q")})
    assert [one.value for one in found.terms[0].levels] == pytest.approx([-1, 1])
    assert found.seed is None


def test_the_size_is_5_percent_on_null_grids():
    """500 grids of 3 x 2 cells and 3 replicates that share a replicate's effect, a third of them with missing cells."""
    rng = np.random.default_rng(0)
    data = table(replicates=3)
    hits = []
    for number in range(500):
        part = data if number % 3 else data.drop(index=rng.choice(18, 4, replace=False))
        values = rng.normal(size=len(part)) + rng.normal(size=3)[part.r]
        found = effects(part[["a", "b"]].to_dict("records"), list(part.r), values, AXES, mixed=False)
        hits += [term.seeds.p < 0.05 for term in found.terms]
    assert np.mean(hits) == pytest.approx(0.05, abs=0.015)


def test_fully_aliased_main_effects_have_no_estimate_and_the_others_are_what_they_were():
    """d = a x b, c is free: resolution 3. c, and its interactions, do not depend on what is refused."""
    axes = dict.fromkeys("abcd", ("-", "+"))
    signs = np.array([(a, b, c, a * b) for a, b, c in itertools.product((-1, 1), repeat=3)])
    levels = [dict(zip(axes, ("-+"[int(sign > 0)] for sign in row), strict=True)) for row in signs for _ in range(3)]
    rng = np.random.default_rng(0)
    values = np.repeat(signs @ (2.0, 0.0, 1.0, 0.0), 3) + 0.1 * rng.normal(size=24)
    asked = levels, [0, 1, 2] * 8, values, axes
    refused, assumed = effects(*asked), effects(*asked, negligible=True)
    assert [one.name for one in refused.terms] == ["c", "a x c", "b x c", "c x d"]
    assert {term: refused.dropped[term] for term in (("a",), ("b",), ("d",))} == {
        ("a",): (("b", "d"),),
        ("b",): (("a", "d"),),
        ("d",): (("a", "b"),),
    }
    assert [one.name for one in assumed.terms] == ["a", "b", "c", "d", "a x c", "b x c", "c x d"]
    for one in refused.terms:
        other = next(term for term in assumed.terms if term.term == one.term)
        assert one.squares == pytest.approx(other.squares)
        assert one.seeds.p == pytest.approx(other.seeds.p)
        assert one.seeds.adjusted <= other.seeds.adjusted, "Holm counts the terms that are tested"
    whole = refused.components["all else between cells"]
    assert whole == pytest.approx(np.sqrt(sum(one.deviation**2 for one in assumed.terms[:2] + assumed.terms[3:4])))
    assert whole == pytest.approx(2.0, abs=0.1), "the effect of a, or of b x d"
    assert not {"a", "b", "d"} & set(refused.components)


def test_a_term_with_many_parameters_keeps_its_level_over_few_resamples():
    """5 x 5 equal cells: covariances from 100 resamples each, of which one is subtracted from the other."""
    rng = np.random.default_rng(4)
    axes = {"a": tuple("vwxyz"), "b": tuple("pqrst")}
    levels = [dict(zip(axes, cell, strict=True)) for cell in itertools.product(*axes.values())]
    hits = []
    for _ in range(200):
        total, single = (np.cov(rng.normal(size=(100, 25)) * size**0.5, rowvar=False) for size in (2, 0.6))
        drawn = PairedBootstrap({}, {}, ResampledUnits(200, 200, 200), SUBJECTS, {"auc": [total, single]})
        found = effects(levels, [0] * 25, 1.4**0.5 * rng.normal(size=25), axes, partial(drawn.covariance, "auc"), 200)
        hits.append([term.items.p < 0.05 for term in found.terms])
    assert max(np.mean(hits, axis=0)) < 0.08
