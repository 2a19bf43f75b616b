"""Records: a row per effect and per pair, with the numbers of the analysis."""

import pytest

from grid.analysis.analysis import analyze
from grid.analysis.records import cell_name, comparison_records, component_records, effect_records, matrix_records
from grid.results.rows import table


@pytest.fixture
def found(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}, pairs=100, explainers=())
    return analyze(study, table(study))


def test_an_effect_per_level_and_combination(found):
    records = [one for one in effect_records(found) if one["metric"] == "eer"]
    assert [(one["term"], one["level"]) for one in records][:4] == [
        ("backbone", "alexnet"), ("backbone", "resnet34"), ("detection", "none"), ("detection", "mtcnn"),
    ]  # fmt: skip
    term = next(one for one in found[0].metrics if one.column.key == "eer").effects.terms[0]
    assert records[0]["effect"] == term.levels[0].value
    assert (records[0]["items_low"], records[0]["items_high"]) == (term.levels[0].items.low, term.levels[0].items.high)
    assert (records[0]["items_adjusted"], records[0]["seeds_p"], records[0]["seeds_low"]) == (term.items.adjusted, None, None)
    assert len(records) == 2 + 2 + 4


def test_names_of_cells_are_distinct_where_levels_contain_commas():
    cells = [{"loss": loss, "batch": batch} for loss in ("a, b", "a") for batch in ("c", "b, c")]
    assert [*map(cell_name, cells)] == ['"a, b", c', '"a, b", "b, c"', "a, c", 'a, "b, c"']


def test_a_comparison_per_metric_and_pair(found):
    records = comparison_records(found)
    assert len(records) == 6 * len(found[0].metrics)
    auc = next(one for one in found[0].metrics if one.column.key == "auc").comparisons
    record = next(one for one in records if one["metric"] == "auc")
    assert record["better"] == cell_name(found[0].cells[auc.order[0]])
    assert (record["difference"], record["adjusted"]) == (auc.pairs[0].difference.value, auc.pairs[0].adjusted)
    check = auc.pairs[0].check
    assert [record[key] for key in ("check", "check_p", "check_adjusted")] == [check.test, check.p, check.adjusted]
    assert record["margin"] == 0.01


def test_a_matrix_per_metric_has_the_comparisons_and_the_tied_sets(found):
    matrices = matrix_records(found)
    assert [one["metric"] for one in matrices] == [one.column.key for one in found[0].metrics]
    auc = next(one for one in found[0].metrics if one.column.key == "auc").comparisons
    record = next(one for one in matrices if one["metric"] == "auc")
    assert record["cells"] == [cell_name(found[0].cells[cell]) for cell in auc.order]
    assert record["of"] == 4
    for row, one in enumerate(auc.order):
        for column, other in enumerate(auc.order):
            gap = auc.values[one] - auc.values[other]
            assert record["differences"][row][column] == pytest.approx(gap, abs=1e-15)
            wanted = None if one == other else auc.between(one, other)
            assert record["adjusted"][row][column] == (wanted and wanted.adjusted)
            assert record["equivalent"][row][column] == (wanted and wanted.equivalent)
    assert record["tied"] == [[cell_name(found[0].cells[cell]) for cell in run] for run in auc.tied]


def test_every_source_of_variation(found):
    sources = [one["source"] for one in component_records(found) if one["metric"] == "auc"]
    assert sources == ["backbone", "detection", "backbone x detection", "test items, one cell"]
