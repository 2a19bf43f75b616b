import dataclasses

import pytest

from grid.analysis.analysis import analyze
from grid.analysis.words import contributions
from grid.report.build import build
from grid.report.headline import headlines, reason
from grid.results import rows


def with_numbers(table, numbers):
    """The table with these (ten-fold, best threshold) accuracies, by row."""
    made = []
    for row, (ten_fold, best) in zip(table.rows, numbers, strict=True):
        values = {"ten_fold": ten_fold, "best_threshold": best}
        results = (dataclasses.replace(one, value=values.get(one.metric, one.value)) for one in row.results)
        made.append(dataclasses.replace(row, results=tuple(results)))
    return dataclasses.replace(table, rows=tuple(made))


def test_the_best_cell_has_the_highest_ten_fold_accuracy_and_the_headline_says_so(make_study):
    table = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=()))
    (found,) = headlines(with_numbers(table, [(0.6083, 0.65), (0.61, 0.62)]))
    assert (found.title, found.levels, found.among) == ("Accuracy, cross-validated", {"backbone": "resnet34"}, 2)
    assert [(number.title, number.text) for number in found.numbers[:2]] == [
        ("Accuracy, cross-validated", "61.00 %"),
        ("Accuracy, best threshold", "62.00 %"),
    ]


def test_replicates_of_a_cell_count_by_their_mean(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1"]}, pairs=60, explainers=())
    (found,) = headlines(with_numbers(rows.table(study), [(0.9, 0.9), (0.5, 0.6), (0.8, 0.8), (0.8, 0.8)]))
    assert (found.levels, found.among) == ({"backbone": "resnet34"}, 2)
    assert (found.numbers[0].text, found.numbers[0].spread) == ("80.00 %", "mean of 2 replicates")


def test_a_replicate_that_is_not_finished_is_told(make_study):
    axes = {"backbone": ["alexnet"], "replicate": ["0", "1", "2"]}
    study = make_study(axes=axes, unfinished=[{"replicate": "1"}], pairs=60, explainers=())
    (found,) = headlines(rows.table(study))
    assert found.numbers[0].spread == "mean of 2 of 3 replicates"


def test_equal_replicates_count_once(make_study):
    """The first two replicates of alexnet are one computation; by all rows, its mean of 0.833 would be the highest."""
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}, pairs=60, explainers=())
    table = rows.table(study)
    first, second, third, *others = table.rows
    copied = dataclasses.replace(table, rows=(first, dataclasses.replace(first, cell=second.cell), third, *others))
    (found,) = headlines(with_numbers(copied, [(0.9, 0.9), (0.9, 0.9), (0.7, 0.7), *[(0.82, 0.82)] * 3]))
    assert found.levels == {"backbone": "resnet34"}
    (found,) = headlines(with_numbers(copied, [(0.9, 0.9), (0.9, 0.9), (0.7, 0.7), *[(0.5, 0.5)] * 3]))
    assert (found.numbers[0].text, found.numbers[0].spread) == ("80.00 %", "mean of 2 replicates (3, some equal)")
    equal = dataclasses.replace(copied, rows=copied.rows[:2])
    assert headlines(equal)[0].numbers[0].spread == "2 replicates, all equal"


def test_without_results_there_is_no_headline(make_study):
    assert headlines(rows.table(make_study(axes={"backbone": ["alexnet"]}, unfinished=[{}], pairs=60, explainers=()))) == []


def test_each_protocol_has_a_headline_of_its_own(make_study):
    table = rows.table(make_study(axes={"backbone": ["alexnet"]}, protocols=("one", "two"), pairs=60, explainers=()))
    found = headlines(table)
    assert [one.protocol for one in found] == ["one", "two"]
    value = table.rows[0].metrics["two"]["ten_fold"]["value"]
    assert float(found[1].numbers[0].text.removesuffix(" %")) == pytest.approx(100 * value, abs=0.005)


def test_the_reason_is_about_the_best_cell_under_its_own_metric(make_study):
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    study = make_study(axes=axes, pairs=100, explainers=())
    table = rows.table(study)
    (found,), analyses = headlines(table), analyze(study, table)
    metric = next(one for one in analyses[0].metrics if one.column.key == "ten_fold")
    assert reason(found, analyses) == contributions(metric, found.levels, found.value)
    assert f"to its {found.numbers[0].text}, in points: " in reason(found, analyses)
    assert reason(found, []) == ""
    assert f"What made it so: {reason(found, analyses)}" in build(study).read_text()
