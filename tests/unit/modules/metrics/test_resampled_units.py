"""The number of subjects or pairs that a metric rests on."""

import numpy as np
import pytest

from modules.metrics.resampled_units import ResampledUnits


def test_a_metric_rests_on_the_subjects_that_have_its_pairs():
    left, right = np.array([0, 1, 2, 3, 5]), np.array([0, 1, 3, 4, 2])
    found = ResampledUnits.of(left == right, left, right)
    assert found == ResampledUnits(genuine=2, impostor=4, every=6)
    behind = {metric: found.behind(metric) for metric in ("val:0.01", "eer", "auc", "ten_fold", "best_threshold")}
    assert behind == {"val:0.01": 2, "eer": 2, "auc": 2, "ten_fold": 6, "best_threshold": 6}
    assert found.unbiased("val:0.01") == found.unbiased("auc") == pytest.approx(2)  # a subject is half of the genuine pairs
    assert found.unbiased("ten_fold") == pytest.approx(6 / 4)


def test_where_every_subject_has_both_kinds_all_metrics_rest_on_all():
    left = np.tile(np.arange(9), 2)
    right = np.where(np.arange(18) < 9, left, (left + 1) % 9)
    found = ResampledUnits.of(left == right, left, right)
    for metric in ("val:0.1", "eer", "auc", "ten_fold"):
        assert (found.behind(metric), found.unbiased(metric)) == (9, pytest.approx(9 / 7))


def test_independent_pairs_are_one_unit_each():
    found = ResampledUnits(genuine=40, impostor=2, every=42, sides=1)
    assert (found.behind("val:0.1"), found.behind("eer")) == (40, 2)
    assert (found.unbiased("eer"), found.unbiased("ten_fold")) == (pytest.approx(2), pytest.approx(42 / 41))
