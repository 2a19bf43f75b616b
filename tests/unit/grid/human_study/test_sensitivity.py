import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from grid.human_study.raters import Raters
from grid.human_study.sensitivity import d_prime, roc

SAME = np.arange(60) % 3 == 0


def test_d_prime_and_criterion_are_those_of_a_loop() -> None:
    choices = np.random.default_rng(0).integers(1, 6, (4, 2, 60))
    found = d_prime(choices, SAME)
    assert found.shape == (4, 2, 2)
    for person in range(4):
        for number in range(2):
            hits = sum(c <= 2 for c, s in zip(choices[person, number], SAME, strict=True) if s)
            alarms = sum(c <= 2 for c, s in zip(choices[person, number], SAME, strict=True) if not s)
            hit, alarm = norm.ppf((hits + 0.5) / 21), norm.ppf((alarms + 0.5) / 41)
            assert found[person, number] == pytest.approx([hit - alarm, -0.5 * (hit + alarm)])


def test_d_prime_is_that_of_the_simulated_people_and_finite_for_perfect_ones() -> None:
    same = np.arange(20000) % 2 == 0
    people = Raters(accuracy=0.8, spread=0.0, difficulty=0.0, gain_spread=0.0)
    choices = people.choices(same, np.zeros(1), np.random.default_rng(0))
    assert d_prime(choices[0, 0], same) == pytest.approx([2 * norm.ppf(0.8), 0.0], abs=0.05)
    assert np.isfinite(d_prime(np.where(same, 1, 5), same)).all()
    assert d_prime(np.full(20000, 5), same)[1] > 3  # always "different"


def test_the_roc_curve_has_a_point_between_every_two_choices_and_the_area_of_sklearn() -> None:
    choices = np.random.default_rng(1).integers(1, 6, 60)
    curve = roc(choices, SAME)
    assert len(curve.far) == 6
    assert curve.auc() == pytest.approx(roc_auc_score(SAME, -choices))
    assert curve.auc() == pytest.approx(np.trapezoid(curve.tar, curve.far))
