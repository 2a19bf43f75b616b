import numpy as np
import pytest
from scipy.stats import norm

from grid.human_study.choices import judged_same
from grid.human_study.raters import CRITERIA, Raters

SAME = np.arange(4000) % 2 == 0


def test_accuracy_and_gain_are_those_that_were_asked_for() -> None:
    people = Raters(accuracy=0.76, spread=0.04, gain_spread=0.02)
    choices = people.choices(SAME, np.repeat([0.0, 0.08], 300), np.random.default_rng(0))
    accuracy = (judged_same(choices) == SAME).mean(axis=2)
    assert accuracy[:, 0].mean() == pytest.approx(0.76, abs=0.01)
    assert (accuracy[300:, 1] - accuracy[300:, 0]).mean() == pytest.approx(0.08, abs=0.01)
    assert (accuracy[:300, 1] - accuracy[:300, 0]).mean() == pytest.approx(0.0, abs=0.005)
    assert accuracy[:, 0].std() == pytest.approx(0.04, abs=0.008)
    assert set(np.unique(choices)) == {1, 2, 3, 4, 5}


def test_choices_have_the_shares_of_the_normal_distribution() -> None:
    """A second derivation of the model without difficulty: P(choice <= k) = 1 - Phi(criterion_k - d / 2)."""
    people = Raters(accuracy=0.8, spread=0.0, difficulty=0.0, gain_spread=0.0)
    choices = people.choices(SAME, np.zeros(50), np.random.default_rng(1))
    half = norm.ppf(0.8)
    for kind, sign in ((True, 1), (False, -1)):
        wanted = [norm.sf(criterion - sign * half) for criterion in CRITERIA]
        seen = [(choices[..., kind == SAME] <= number).mean() for number in range(1, 5)]
        assert seen == pytest.approx(wanted, abs=0.01)


def test_a_hard_pair_is_hard_for_everyone_and_in_both_passes() -> None:
    correct = judged_same(Raters().choices(SAME, np.zeros(60), np.random.default_rng(2))) == SAME
    first, second = correct[:30, 0].mean(axis=0), correct[30:, 1].mean(axis=0)
    assert np.corrcoef(first, second)[0, 1] > 0.7
    easy = judged_same(Raters(difficulty=0.0).choices(SAME, np.zeros(60), np.random.default_rng(2))) == SAME
    assert abs(np.corrcoef(easy[:30, 0].mean(axis=0), easy[30:, 1].mean(axis=0))[0, 1]) < 0.1


@pytest.mark.parametrize("accuracy", [0.55, 0.76, 0.95])
def test_the_true_benefit_is_what_people_show(accuracy: float) -> None:
    people = Raters(accuracy=accuracy)
    choices = people.choices(SAME, np.repeat([0.0, 0.08], 1500), np.random.default_rng(3))
    second = (judged_same(choices[:, 1]) == SAME).mean(axis=1)
    assert second[1500:].mean() - second[:1500].mean() == pytest.approx(people.benefit(0.08), abs=0.005)
    assert people.benefit(0.0) == 0
