"""Sentences say what the numbers say, and what they do not."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from grid.analysis import words
from grid.analysis.analysis import analyze
from grid.analysis.effects import Judgment
from grid.analysis.variance_components import SeedVariance
from grid.results.rows import table


@pytest.fixture
def found(make_study):
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    study = make_study(axes=axes, pairs=100, explainers=())
    return analyze(study, table(study))[0]


def judged(metric, *adjusted, seeds=None):
    terms = tuple(
        replace(term, items=Judgment(1, (1, 9), p, p), seeds=seeds and Judgment(1, (1, 9), seeds, seeds))
        for term, p in zip(metric.effects.terms, adjusted, strict=True)
    )
    return replace(metric, effects=replace(metric.effects, terms=terms))


def test_a_factor_with_an_effect_is_named_with_its_levels(found):
    metric = judged(found.metrics[0], 0.2, 0.001, 0.6)
    text = words.verdict(found, metric)
    value = words.difference(metric.column, metric.effects.terms[1].levels[1].value)
    assert text.startswith("By Accuracy, cross-validated, detection matters (none ")
    assert f"mtcnn {value} points from the mean)" in text
    assert "for other test subjects, with these trained networks" in text
    assert text.endswith("The other 2 of 3 terms are not significant.")


def test_the_way_from_the_mean_to_a_cell_adds_up_and_begins_with_the_largest_effect(found):
    metric = found.metrics[0]
    value = metric.contrasts.means[found.cells.index({"backbone": "resnet34", "detection": "mtcnn"})]
    text = words.contributions(metric, {"backbone": "resnet34", "detection": "mtcnn"}, value)
    ends = re.fullmatch(r"from the mean of all cells, ([\d.]+) %, to its ([\d.]+) %, in points: (.*)\.", text)
    assert ends
    parts = [
        (name, float(number.replace("−", "-"))) for name, _, number in (one.rpartition(" ") for one in ends[3].split(", "))
    ]
    assert {name for name, _ in parts[:2]} == {"backbone resnet34", "detection mtcnn"}
    assert abs(parts[0][1]) >= abs(parts[1][1])
    assert parts[2][0] == "interactions and chance"
    cells = [metric.contrasts.means[n] for n, cell in enumerate(found.cells) if cell["detection"] == "mtcnn"]
    assert dict(parts)["detection mtcnn"] == pytest.approx(100 * (np.mean(cells) - np.mean(metric.contrasts.means)), abs=0.006)
    assert float(ends[1]) + sum(number for _, number in parts) == pytest.approx(float(ends[2]), abs=0.03)
    none = replace(metric, effects=replace(metric.effects, terms=()))
    assert words.contributions(none, {"backbone": "resnet34"}, value) == ""


def test_no_effect_found_is_not_called_no_effect(found):
    text = words.verdict(found, judged(found.metrics[0], 0.2, 0.06, 0.6))
    assert text.startswith("No factor has a significant effect on Accuracy, cross-validated")


def test_an_effect_for_other_subjects_alone_is_none_where_seeds_disagree(found):
    text = words.verdict(found, judged(found.metrics[0], 0.01, 0.01, 0.01, seeds=0.4))
    assert (
        text == "No factor has a significant effect on Accuracy, cross-validated for both other test subjects and other seeds."
    )
    some = judged(found.metrics[0], 0.01, 0.01, 0.01, seeds=0.4)
    clear = replace(some.effects.terms[0], seeds=Judgment(1, (1, 9), 0.01, 0.01))
    some = replace(some, effects=replace(some.effects, terms=(clear, *some.effects.terms[1:])))
    assert words.verdict(found, some).endswith("The other 2 of 3 terms are significant for one of the two at most.")
    assert "for other seeds" in words.verdict(found, judged(found.metrics[0], 0.01, 0.01, 0.01, seeds=0.01))


def test_one_replicate_says_that_seeds_cannot_be_judged(found):
    seeds, items = words.limits(found)
    assert seeds.startswith("Seeds cannot be judged: every cell was trained once.")
    assert "their subjects are not known here" in items
    assert "too narrow" in items


def test_why_no_test_is_possible_is_said(found):
    metric = found.metrics[0]
    terms = tuple(replace(term, items=None, seeds=None) for term in metric.effects.terms)
    none = replace(metric, effects=replace(metric.effects, terms=terms))
    assert "every cell was trained once" in words.verdict(found, none)
    assert "there are too few replicates" in words.verdict(replace(found, replicates=(2, 1)), none)
    equal = replace(none, effects=replace(none.effects, seed=SeedVariance(None, None, 0.0, 4)))
    assert "cells differ equally in every replicate" in words.verdict(replace(found, replicates=(5, 5)), equal)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({}, "pairs cannot be resampled for this number"),
        ({"units": None}, "there are too few subjects or pairs to resample"),
        ({"units": None, "pairs": None}, "there are no scored pairs that all cells share"),
    ],
)
def test_why_items_judge_nothing_is_said(found, known, reason):
    metric = found.metrics[0]
    terms = tuple(replace(term, items=None, seeds=None) for term in metric.effects.terms)
    none = replace(metric, effects=replace(metric.effects, terms=terms))
    changed = replace(found, **known)
    assert words.verdict(changed, none).endswith(f", and {reason}.")
    assert (f"Test items cannot be judged: {reason}." in words.limits(changed)) == bool(known)


def test_missing_cells_copies_and_aliases_are_named(found):
    effects = found.metrics[0].effects
    terms = tuple(replace(one, term=(axis,), aliases=(("a", "b"),)) for one, axis in zip(effects.terms[:2], "ab", strict=True))
    effects = replace(effects, terms=terms, dropped={("a", "b"): (("a",), ("b",))})
    missing = (({"backbone": "alexnet", "detection": "mtcnn"}, "failed"),)
    metrics = (replace(found.metrics[0], effects=effects),)
    lines = list(words.limits(replace(found, copies=2, missing=missing, metrics=metrics, unknown="", replicates=(3,) * 4)))
    assert lines[0] == "Seeds: 3 replicates per cell, compared within cells and replicates."
    assert lines[1].startswith("2 replicates repeated the output of another one exactly")
    assert "100 subjects, resampled together for all cells" in lines[2]
    assert "1 of 5 combinations have no result (backbone=alexnet, detection=mtcnn: failed)" in lines[3]
    assert lines[4].startswith(
        "a x b cannot be estimated from these cells: it is aliased with a, b; what is shown for a, b includes it."
    )


def test_tied_sets_and_the_best(found):
    compared = found.metrics[0].comparisons
    none = replace(compared, pairs=tuple(replace(pair, adjusted=1.0) for pair in compared.pairs))
    assert list(words.tied(none)) == ["no two of 1 to 4 differ significantly"]
    assert words.ranking(found, replace(found.metrics[0], comparisons=none)).startswith(
        "No cell is significantly better than another"
    )
    every = replace(compared, pairs=tuple(replace(pair, adjusted=0.001) for pair in compared.pairs))
    assert next(iter(words.tied(every))) == "1 differs significantly from all others"
    text = words.ranking(found, replace(found.metrics[0], comparisons=every))
    assert "is significantly better than all 3 others; of all 6 differences, 6 are significant" in text
    (pair, *rest) = every.pairs
    first = replace(every, pairs=(pair, *(replace(one, adjusted=1.0) for one in rest)))
    assert "is significantly better than 1 of the 3 others" in words.ranking(
        found, replace(found.metrics[0], comparisons=first)
    )
    two = replace(every, pairs=(pair,), order=every.order[:2])
    text = words.ranking(found, replace(found.metrics[0], comparisons=two))
    assert text.endswith("is significantly better than the other.")


def test_differences_have_signs_and_0_has_none(found):
    column = found.metrics[0].column
    assert [words.difference(column, value) for value in (0.0264, -0.0264, -1e-9)] == ["+2.64", "−2.64", "0.00"]
    assert [words.probability(p) for p in (0.0004, 0.0412, 1.0)] == ["< 0.001", "0.041", "1.000"]


def test_an_aliased_main_effect_is_refused_and_named_with_what_it_may_be_if_that_is_assumed_absent(make_study):
    """Half of 2 x 2 x 2, of resolution 3: each main effect is fully aliased with the interaction of the two others."""
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "loss": ["softmax", "arcface"]}
    sign = {level: place for levels in axes.values() for place, level in enumerate(levels)}
    combinations = [dict(zip(axes, levels, strict=True)) for levels in itertools.product(*axes.values())]
    other = [one for one in combinations if sum(sign[level] for level in one.values()) % 2]
    study = make_study(axes=axes, pairs=100, explainers=(), failed=other)
    refused = analyze(study, table(study))[0]
    assert not refused.metrics[0].effects.terms
    assert words.verdict(refused, refused.metrics[0]) == "No effect can be estimated from these cells."
    said = list(words.limits(refused))
    assert "backbone cannot be estimated from these cells: it is aliased with detection x loss." in said
    assert said[-1].startswith(
        "Main effects that are fully aliased with a two-way interaction have no estimate and no p value."
    )
    assert said[-1].endswith("design.negligible: interactions.")
    study.record["negligible"] = "interactions"
    one = analyze(study, table(study))[0]
    said = list(words.limits(one))
    assert not any("Main effects that are fully aliased" in line for line in said)
    assert any("what is shown for loss includes it, and the grid file states that it is negligible" in line for line in said)
    metric = judged(one.metrics[0], 0.001, 0.2, 0.6)
    said = words.verdict(one, metric)
    assert "backbone or detection x loss, which the design cannot tell apart, matters (alexnet " in said
    text = words.contributions(metric, one.cells[0], 0.9)
    assert f"backbone {one.cells[0]['backbone']} with aliases " in text
