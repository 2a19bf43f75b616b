"""Resampling subjects: a second derivation by explicit drawing, and the width it must have."""

import numpy as np
import pytest

from modules.metrics.cluster_bootstrap import interval, mean, ratio
from modules.metrics.intervals import wilson

GENERATOR = np.random.default_rng(0)
SUBJECTS = np.repeat(np.array(list("abcdefghijklmnopqrst")), 5)
OF_SUBJECT = np.repeat(GENERATOR.normal(size=20), 5)


def test_the_interval_is_that_of_drawing_subjects_one_by_one() -> None:
    values = OF_SUBJECT + 0.1 * GENERATOR.normal(size=100)
    found = mean(values, SUBJECTS, 4000, 0)
    dice = np.random.default_rng(1)
    groups = [values[one == SUBJECTS] for one in np.unique(SUBJECTS)]
    naive = [np.concatenate([groups[n] for n in dice.integers(0, 20, 20)]).mean() for _ in range(4000)]
    assert found["value"] == pytest.approx(values.mean())
    width = np.quantile(naive, 0.975) - np.quantile(naive, 0.025)
    assert found["low"] == pytest.approx(np.quantile(naive, 0.025), abs=0.06 * width)
    assert found["high"] == pytest.approx(np.quantile(naive, 0.975), abs=0.06 * width)


def test_five_equal_images_of_a_subject_are_no_more_than_one() -> None:
    many, one = mean(OF_SUBJECT, SUBJECTS, 2000, 0), mean(OF_SUBJECT[::5], SUBJECTS[::5], 2000, 0)
    assert many == pytest.approx(one)
    alone = mean(OF_SUBJECT, np.arange(100), 2000, 0)
    assert alone["high"] - alone["low"] < 0.6 * (many["high"] - many["low"])


def test_a_ratio_is_of_sums_and_undefined_resamples_do_not_count() -> None:
    terms = np.zeros((100, 2))
    terms[SUBJECTS == "c"] = (0.3, 1.0)
    found = interval(terms, SUBJECTS, ratio, 500, 0)
    assert (found["value"], found["low"], found["high"]) == (pytest.approx(0.3), None, None), "they agree, so they say nothing"
    found = interval(terms, SUBJECTS, ratio, 500, 0, share=True)
    assert found["low"] < 0.3 < found["high"]


def test_subjects_without_a_difference_are_no_proof_of_equality() -> None:
    found = mean(np.zeros(100), SUBJECTS, 200, 0)
    assert found["high"] == -found["low"] == pytest.approx(wilson(0, len(np.unique(SUBJECTS)))[1])


def test_numbers_without_bounds_that_all_agree_have_no_interval() -> None:
    assert mean(np.full(100, 27.5), SUBJECTS, 200, 0, most=None) == {"value": 27.5, "low": None, "high": None}
    assert mean(10 * OF_SUBJECT, SUBJECTS, 200, 0, most=None) == mean(10 * OF_SUBJECT, SUBJECTS, 200, 0)


def test_a_share_without_errors_has_an_interval_of_as_many_trials_as_subjects() -> None:
    found = mean(np.zeros(100), SUBJECTS, 200, 0, share=True)
    assert found["low"] == 0
    assert 0.1 < found["high"] < 0.2  # about 3 / 20


def test_one_subject_gives_no_interval() -> None:
    assert mean(OF_SUBJECT[:5], SUBJECTS[:5], 100, 0) == {"value": pytest.approx(OF_SUBJECT[0]), "low": None, "high": None}
