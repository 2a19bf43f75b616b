import numpy as np

from grid.human_study.choices import CHOICES, judged_same, similarity
from modules.metrics.roc import Curve


def test_choices_1_and_2_are_judged_same_and_3_to_5_different() -> None:
    assert judged_same(np.arange(1, 6)).tolist() == [True, True, False, False, False]
    assert len(CHOICES) == 5


def test_accepting_scores_of_choice_2_and_above_is_the_judgment_same() -> None:
    """The rule of the judgments is one point of the ROC curve of the choices."""
    generator = np.random.default_rng(0)
    choices, same = generator.integers(1, 6, 400), np.arange(400) % 2 == 0
    curve = Curve.of(similarity(choices), same)
    at = curve.thresholds.tolist().index(3.0)  # the score of choice 2
    assert curve.tar[at] == judged_same(choices)[same].mean()
    assert curve.far[at] == judged_same(choices)[~same].mean()
