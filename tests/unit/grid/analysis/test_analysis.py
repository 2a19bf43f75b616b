"""A study's analysis: its own numbers, what is missing, and copies of a seed that prove nothing."""

from dataclasses import replace

import numpy as np
import pytest

from grid.analysis.analysis import analyze
from grid.results.rows import table

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "replicate": ["0", "1", "2"]}


def metric(found, key):
    return next(one for one in found.metrics if one.column.key == key)


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=100, explainers=())


def test_effects_and_comparisons_of_the_table(study):
    shown = table(study)
    (found,) = analyze(study, shown)
    assert (found.protocol, found.replicates, found.copies, found.missing) == ("lfw view 2", (3,) * 4, 0, ())
    assert found.seeds
    column = next(one for one in shown.columns if one.key == "auc")
    values = np.array([row.value(column).value for row in shown.rows]).reshape(2, 2, 3)
    auc = metric(found, "auc")
    assert auc.effects.mean == pytest.approx(values.mean())
    assert auc.comparisons.values == pytest.approx(values.mean(axis=2).ravel())
    level = auc.effects.terms[1].levels[1]
    assert (level.levels, level.value) == (("mtcnn",), pytest.approx(values[:, 1].mean() - values.mean()))
    assert [one.column.key for one in found.metrics][:4] == ["ten_fold", "best_threshold", "eer", "auc"]
    assert all(one.comparisons and len(one.comparisons.pairs) == 6 for one in found.metrics)


def test_copies_of_a_seed_create_no_significance(study):
    """Every replicate a copy of the first: as one replicate per cell, whatever the number of copies."""
    shown = table(study)
    first = {tuple(row.cell.levels.values())[:2]: row for row in reversed(shown.rows)}
    rows = tuple(replace(first[tuple(row.cell.levels.values())[:2]], cell=row.cell) for row in shown.rows)
    (copied,) = analyze(study, replace(shown, rows=rows))
    (once,) = analyze(study, replace(shown, rows=rows[::3]))
    assert (copied.copies, copied.replicates, copied.seeds) == (8, (1,) * 4, False)
    for one, other in zip(copied.metrics, once.metrics, strict=True):
        assert all(term.seeds is None for term in one.effects.terms)
        assert one.effects.terms == other.effects.terms
        assert one.comparisons == other.comparisons


def test_failed_and_skipped_cells_are_named_and_nothing_is_balanced(make_study):
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    study = make_study("holes", axes=axes, failed=[{"backbone": "alexnet", "detection": "mtcnn"}], pairs=100, explainers=())
    (found,) = analyze(study, table(study))
    assert found.missing == (({"backbone": "alexnet", "detection": "mtcnn"}, "failed"),)
    effects = found.metrics[0].effects
    assert list(effects.dropped) == [("backbone", "detection")]
    assert [term.name for term in effects.terms] == ["backbone", "detection"]


def test_one_cell_has_nothing_to_compare(make_study):
    study = make_study("single", axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    assert analyze(study, table(study)) == []
