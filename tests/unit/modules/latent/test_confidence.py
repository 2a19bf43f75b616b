"""Changes of confidence, counted by hand."""

import numpy as np
import pytest

from modules.latent.confidence import change

BEFORE = np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.9, 0.1]])
AFTER = np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9], [0.9, 0.1]])
LABELS = np.array([0, 0, 1, 0])


def test_every_number_is_that_counted_by_hand() -> None:
    found = change(BEFORE, AFTER, LABELS, np.arange(4), 200, 0)
    values = {key: entry["value"] for key, entry in found.items()}
    assert values == pytest.approx(
        {
            "rises": 0.5,  # the first and the third image
            "mean_rise": 0.15,
            "mean_fall": 0.3,
            "mean_change": 0.0,
            "flips": 0.25,
            "accuracy_before": 1.0,
            "accuracy_after": 0.75,
        }
    )
    for key, entry in found.items():
        assert entry["low"] <= entry["value"] <= entry["high"], key


def test_a_share_of_none_still_has_an_interval() -> None:
    found = change(BEFORE, BEFORE, LABELS, np.arange(4), 200, 0)
    assert found["flips"]["value"] == 0
    assert found["flips"]["high"] > 0.3
    assert found["mean_rise"] == {"value": None, "reason": "no image"}


def test_the_wrong_class_does_not_count() -> None:
    swapped = change(BEFORE, AFTER, 1 - LABELS, np.arange(4), 200, 0)
    assert swapped["mean_rise"]["value"] == pytest.approx(0.3)
    assert swapped["accuracy_before"]["value"] == 0
