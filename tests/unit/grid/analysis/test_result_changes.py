"""Differences between the results of two studies: paired where they share pairs, and none where the computation is the same."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from grid.analysis.observations import observations
from grid.analysis.result_changes import SAME, SEPARATE, result_changes
from grid.results.rows import table
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.paired_tests import student

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}


def changes(one, other, key="auc"):
    return [change for change in result_changes(one, table(one), other, table(other)) if change.column.key == key]


def test_the_same_computation_does_not_differ(make_study):
    one, other = (make_study(name, axes=AXES, pairs=60, explainers=()) for name in ("a", "b"))
    found = changes(one, other)
    assert {change.method for change in found} == {SAME}
    assert len(found) == 4
    assert not any(change.differs for change in found)


def test_retrained_cells_are_compared_by_the_paired_bootstrap(make_study):
    """Against the bootstrap of the two cells by themselves; other replicates have other scores on the same pairs."""
    one = make_study("a", axes={**AXES, "run": ["1"]}, pairs=100, explainers=())
    other = make_study("b", axes={**AXES, "run": ["2"], "pretraining": ["imagenet"]}, pairs=100, explainers=())
    axes = {"backbone", "detection"}
    both = [table(study) for study in (one, other)]
    both = [replace(shown, factors=tuple(factor for factor in shown.factors if factor.axis in axes)) for shown in both]
    found = [change for change in result_changes(one, both[0], other, both[1]) if change.column.key == "auc"]
    assert [dict(change.levels) for change in found] == [dict(zip(("backbone", "detection"), pair, strict=True))
                                                         for pair in (("alexnet", "none"), ("alexnet", "mtcnn"),
                                                                      ("resnet34", "none"), ("resnet34", "mtcnn"))]  # fmt: skip
    seen = [observations(shown, "lfw view 2")[0] for shown in both]
    files = [next(study.path.glob(f"store/evaluate/{each[0].row.markers['evaluate:lfw view 2'].id}/*/scores.parquet"))
             for study, each in zip((one, other), seen, strict=True)]  # fmt: skip
    scores = np.stack([pq.read_table(file)["score"].to_numpy() for file in files])
    same = np.arange(100) < 50
    drawn = paired_bootstrap(scores, same, None, resamples=1000, seed=0)
    variance = drawn.covariance("auc", np.array([[-1.0, 1.0]]))[0, 0]
    expected = student(found[0].second - found[0].first, variance, (units := drawn.units.behind("auc")) - 1, units)
    assert found[0].estimate.value == pytest.approx(expected.value)
    assert found[0].estimate.high - found[0].estimate.low == pytest.approx(expected.high - expected.low, rel=0.15)
    assert all(change.adjusted >= change.estimate.p for change in found)


def test_other_pairs_leave_the_intervals_of_both(make_study):
    one = make_study("a", axes=AXES, pairs=60, explainers=())
    other = make_study("b", axes=AXES, pairs=100, explainers=())
    found = changes(one, other)
    assert {change.method for change in found} == {SEPARATE}
    row, column = table(one).rows[0], found[0].column
    widths = [(value.high - value.low) / 2 for value in (table(study).rows[0].value(column) for study in (one, other))]
    half = (found[0].estimate.high - found[0].estimate.low) / 2
    assert half == pytest.approx(np.hypot(*widths))
    assert row.value(column).value == found[0].first


def test_protocols_of_one_study_alone_are_not_compared(make_study):
    one = make_study("a", axes=AXES, pairs=60, explainers=())
    other = make_study("b", axes=AXES, pairs=60, explainers=(), protocols=("other",))
    assert result_changes(one, table(one), other, table(other)) == []


@pytest.mark.parametrize(("replicates", "included"), [(1, False), (3, True)])
def test_a_difference_includes_the_variance_between_seeds_only_if_both_cells_have_replicates(make_study, replicates, included):
    studies = [
        make_study(
            name, axes={**AXES, "run": [name], "replicate": [str(one) for one in range(count)]}, pairs=100, explainers=()
        )
        for name, count in (("a", 3), ("b", replicates))
    ]
    shown = [
        replace(one, factors=tuple(factor for factor in one.factors if factor.axis != "run")) for one in map(table, studies)
    ]
    found = result_changes(studies[0], shown[0], studies[1], shown[1])
    assert {change.seeds for change in found} == {included}
