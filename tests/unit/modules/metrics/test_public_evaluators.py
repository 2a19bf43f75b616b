import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from modules.metrics import public_evaluators
from modules.metrics.roc import Curve


@st.composite
def pairs(draw):
    n = draw(st.integers(4, 40))
    scores = np.array(draw(st.lists(st.integers(-8, 8), min_size=n, max_size=n)), float) / 8
    same = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    same[0], same[1] = True, False
    return scores, same


@settings(deadline=None, max_examples=60)
@given(pairs(), st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0]))
def test_the_nearest_point_is_that_of_public_copies(data, far):
    scores, same = data
    fpr, tpr, _ = (values[::-1] for values in roc_curve(same, scores))
    _, index = min(zip(abs(fpr - far), range(len(fpr)), strict=True))
    value, _, found = public_evaluators.nearest(Curve.of(scores, same), far)
    assert (value, found) == pytest.approx((tpr[index], fpr[index]), abs=1e-12)


def test_the_nearest_point_can_exceed_the_target_and_the_exact_one_cannot():
    same = np.arange(20) < 10
    scores = np.where(same, 0.5, 0.1)
    scores[10:16] = 0.6  # six of ten impostors come at once
    curve = Curve.of(scores, same)
    assert public_evaluators.nearest(curve, 0.4)[::2] == (1.0, 0.6)
    assert curve.val(0.4)[::2] == (0.0, 0.0)


@settings(deadline=None)
@given(pairs())
def test_the_first_best_of_a_list_is_that_of_a_loop(data):
    distances, same = 1 - data[0], data[1]
    thresholds = np.arange(-0.5, 3, 0.0625)  # distances are eighths: many lie on a threshold
    right = [int(((distances < threshold) == same).sum()) for threshold in thresholds]
    best = public_evaluators.first_best((distances, same), thresholds)
    assert best == thresholds[right.index(max(right))]
    assert public_evaluators.accuracy_at((distances, same), best) == max(right) / len(same)


@settings(deadline=None)
@given(pairs(), st.sampled_from([0.0, 1e-3, 0.1, 0.3, 0.9]))
def test_interpolation_is_a_line_from_the_last_threshold_that_keeps_the_target_to_the_next(data, far):
    distances, same = 1 - data[0], data[1]
    thresholds = np.arange(0, 1.5, 0.01)
    fars = [(distances[~same] < threshold).mean() for threshold in thresholds]
    found = public_evaluators.interpolated((distances, same), thresholds, far)
    if max(fars) < far:
        assert found == 0
        return
    if min(fars) > far:
        assert found == thresholds[0]
        return
    last = max(index for index, value in enumerate(fars) if value <= far)
    if last == len(fars) - 1:
        assert found == thresholds[-1]
        return
    part = (far - fars[last]) / (fars[last + 1] - fars[last])
    assert found == pytest.approx(thresholds[last] + part * 0.01)


@settings(deadline=None, max_examples=20)
@given(pairs())
def test_youden_is_the_first_largest_of_a_loop(data):
    scores, same = data
    step = (scores.max() - scores.min()) / 1000
    thresholds = [scores.min() + step * number for number in range(1, 1001)]
    index = [(scores[same] > t).sum() / same.sum() - (scores[~same] > t).sum() / (~same).sum() for t in thresholds]
    assert public_evaluators.youden((scores, same)) == thresholds[int(np.argmax(index))]


def test_val_counts_what_is_below_the_threshold():
    part = (np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, True, False, False]))
    assert public_evaluators.val_at(part, 0.3) == (1.0, 0.0)
    assert public_evaluators.val_at(part, 0.31) == (1.0, 0.5)


def test_one_kind_of_pair_is_refused():
    part = (np.zeros(3), np.zeros(3, bool))
    for call in (
        public_evaluators.youden,
        lambda p: public_evaluators.first_best(p, np.arange(3)),
        lambda p: public_evaluators.val_at(p, 1),
    ):
        with pytest.raises(ValueError, match="0 of 3"):
            call(part)


def test_an_angle_forgives_what_rounding_added():
    assert public_evaluators.angle(np.array([1 + 1e-7, 0.0, -1.0])).tolist() == [0.0, 0.5, 1.0]


def test_a_distance_equal_to_the_threshold_is_refused():
    part = (np.array([0.5, 0.5, 0.25]), np.array([True, False, True]))
    assert public_evaluators.accuracy_at(part, 0.5) == pytest.approx(2 / 3)
    assert public_evaluators.accuracy_at(part, 0.25) == pytest.approx(1 / 3)
