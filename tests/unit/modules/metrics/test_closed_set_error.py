"""Closed-set classification errors and their intervals."""

import numpy as np
import pytest

from modules.metrics.closed_set_error import missed, share_by_subject

LOGITS = np.array([[3.0, 1.0, 2.0], [1.0, 3.0, 2.0], [2.0, 2.0, 1.0]])


def test_an_image_is_missed_if_its_class_is_not_among_the_highest_logits():
    labels = np.array([0, 2, 0])
    assert missed(LOGITS, labels).tolist() == [False, True, True]  # a tie counts against the class
    assert missed(LOGITS, labels, top=2).tolist() == [False, False, False]
    assert missed(LOGITS, np.array([1, 0, 2]), top=2).tolist() == [True, True, True]


def test_labels_that_are_no_class_and_infinite_logits_are_refused():
    with pytest.raises(ValueError, match="labels run from 0 to 3, and there are 3 classes"):
        missed(LOGITS, np.array([0, 1, 3]))
    with pytest.raises(ValueError, match="logits of row 1"):
        missed(np.array([[0.0, 1.0], [np.nan, 1.0]]), np.array([0, 1]))


def test_images_of_a_subject_count_together():
    generator = np.random.default_rng(0)
    events = generator.random(200) < 0.3
    alone = share_by_subject(events, np.arange(200))
    together = share_by_subject(np.repeat(events[:20], 10), np.repeat(np.arange(20), 10))
    assert alone["value"] == pytest.approx(events.mean())
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])
    assert 0 <= alone["low"] < alone["value"] < alone["high"] <= 1


def test_the_interval_holds_the_true_share_in_about_95_percent_of_samples():
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        rates = generator.beta(2, 6, size=40)
        subjects = np.repeat(np.arange(40), 5)
        found = share_by_subject(generator.random(200) < rates[subjects], subjects)
        held += found["low"] <= 0.25 <= found["high"]
    assert 0.91 <= held / 300 <= 0.99


def test_no_event_has_an_interval_and_one_subject_has_none():
    none = share_by_subject(np.zeros(30, bool), np.repeat(np.arange(10), 3))
    assert none["low"] == 0 < none["high"]
    with pytest.raises(ValueError, match="two subjects, found 1"):
        share_by_subject(np.zeros(3, bool), np.zeros(3, int))
