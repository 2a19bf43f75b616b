import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tied_scores import pairs

from modules.metrics.roc import Curve, allowed


def everything(curve, fars=(0.0, 0.1, 1 / 3, 0.5, 1.0)):
    points = [curve.thresholds.tolist(), curve.accepted.tolist(), curve.false.tolist()]
    return points, curve.auc(), curve.eer(), curve.best(), [curve.val(far) for far in fars]


@settings(deadline=None)
@given(pairs())
def test_points_are_what_counting_finds(data):
    scores, same = data
    curve = Curve.of(scores, same)
    assert curve.thresholds.tolist() == [np.inf, *sorted(set(scores.tolist()), reverse=True)]
    for threshold, accepted, false in zip(curve.thresholds, curve.accepted, curve.false, strict=True):
        assert (accepted, false) == (((scores >= threshold) & same).sum(), ((scores >= threshold) & ~same).sum())


@settings(deadline=None)
@given(pairs())
def test_float32_gives_what_float64_gives(data):
    scores, same = data  # quarters: exact in both
    one, two = Curve.of(scores.astype(np.float32), same), Curve.of(scores, same)
    assert everything(one)[:3] == everything(two)[:3]
    assert one.best()[0] == two.best()[0]
    for far in (0.0, 0.1, 1 / 3, 0.5, 1.0):
        assert one.val(far)[::2] == two.val(far)[::2]
        assert one.val(far)[1] == pytest.approx(two.val(far)[1], abs=1e-6)


@settings(deadline=None)
@given(pairs(), st.randoms())
def test_order_changes_nothing(data, random):
    scores, same = data
    order = random.sample(range(len(scores)), len(scores))
    assert everything(Curve.of(scores[order], same[order])) == everything(Curve.of(scores, same))
    falling = np.argsort(-scores)
    assert everything(Curve.of_sorted(scores[falling], same[falling])) == everything(Curve.of(scores, same))


@settings(deadline=None)
@given(pairs())
def test_a_monotone_transform_changes_no_rate(data):
    scores, same = data
    one, two = Curve.of(scores, same), Curve.of(np.exp(scores) * 3 - 7, same)
    assert (one.accepted.tolist(), one.false.tolist()) == (two.accepted.tolist(), two.false.tolist())
    assert (one.auc(), one.eer()[0], one.best()[0]) == (two.auc(), two.eer()[0], two.best()[0])
    assert [one.val(far)[::2] for far in (0.0, 0.2, 0.7)] == [two.val(far)[::2] for far in (0.0, 0.2, 0.7)]


@settings(deadline=None)
@given(pairs(), st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 0.5, 2 / 3, 0.9, 1.0]))
def test_val_is_the_last_point_that_keeps_the_target(data, far):
    scores, same = data
    curve = Curve.of(scores, same)
    index = max(point for point, value in enumerate(curve.far) if value <= far)
    value, threshold, found = curve.val(far)
    assert (value, found) == (curve.tar[index], curve.far[index])
    assert ((scores >= threshold) & same).sum() == curve.accepted[index]
    assert ((scores >= threshold) & ~same).sum() == curve.false[index]
    assert threshold == (curve.thresholds[index] if index else np.nextafter(scores.max(), np.inf))


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0, 2))
def test_what_is_allowed_is_what_division_allows(impostor, far):
    shares = np.arange(impostor + 1) / impostor
    assert allowed(far, impostor) == np.flatnonzero(shares <= far)[-1]
    for decimal in (1e-3, 1e-2, 0.1, 0.3):
        assert allowed(decimal, impostor) == np.flatnonzero(shares <= decimal)[-1]


def test_a_share_just_below_a_step_does_not_allow_the_step():
    for impostor in (3, 49, 3000):
        for most in range(1, impostor + 1):
            assert allowed(most / impostor, impostor) == most
            assert allowed(np.nextafter(most / impostor, 0), impostor) == most - 1  # times impostor it rounds to ``most``


def test_a_far_below_zero_is_refused():
    for far in (-0.1, np.nan):
        with pytest.raises(ValueError, match="cannot be asked for"):
            Curve.of(np.array([1.0, 0.0]), np.array([True, False])).val(far)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_a_float32_threshold_tells_float32_scores_apart(seed):
    """A float64 midpoint of neighboring float32 values would, compared with float32 scores, be rounded to one of them."""
    low = np.float32(np.random.default_rng(seed).random())
    scores = np.array([np.nextafter(low, np.float32(2)), low], np.float32)
    same = np.array([True, False])
    for threshold in (Curve.of(scores, same).best()[1], Curve.of(scores, same).val(0.0)[1]):
        assert (scores >= threshold).tolist() == [True, False]
    above = Curve.of(scores, ~same).val(0.0)
    assert (scores >= above[1]).tolist() == [False, False]
    assert above[0] == 0.0


def test_both_zeros_are_one_score():
    same = np.array([True, False, True])
    one = everything(Curve.of(np.array([0.0, -0.0, -0.0]), same))
    assert repr(one) == repr(everything(Curve.of(np.array([-0.0, 0.0, -0.0]), same)))
    assert "-0.0" not in repr(one)
    assert one[1] == 0.5


def test_scores_are_left_as_they_were():
    scores, same = np.array([3.0, 1.0, 2.0], np.float32), np.array([True, False, True])
    Curve.of(scores, same).thresholds  # noqa: B018
    assert scores.tolist() == [3.0, 1.0, 2.0]


def test_large_lists_agree_with_a_sort_of_indices():
    rng = np.random.default_rng(0)
    for share in (0.01, 0.5, 0.99):
        same = rng.random(50_000) < share
        scores = (rng.standard_normal(50_000, dtype=np.float32) + same).round(3)
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
        accepted = np.append(0, np.cumsum(same[order])[last])
        false = np.append(0, np.cumsum(~same[order])[last])
        curve = Curve.of(scores, same)
        assert (curve.accepted.tolist(), curve.false.tolist()) == (accepted.tolist(), false.tolist())
        wins = (np.diff(false) * (accepted[1:] + accepted[:-1])).sum()
        assert curve.auc() == int(wins) / (2 * curve.genuine * curve.impostor)
        gap = false * curve.genuine + accepted * curve.impostor - curve.genuine * curve.impostor
        after = int(np.argmax(gap >= 0))
        part = -gap[after - 1] / (gap[after] - gap[after - 1])
        assert curve.eer()[0] == curve.far[after - 1] + part * (curve.far[after] - curve.far[after - 1])
        assert curve.eer()[1] == curve.thresholds[after]
