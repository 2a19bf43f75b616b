import numpy as np

from modules.metrics.decision_outcomes import OUTCOMES, outcomes

SAME = np.arange(200) % 2 == 0
SCORES = np.where(SAME, 0.5, 0.0) + np.random.default_rng(3).normal(size=200) * 0.3


def test_outcomes_are_those_of_a_loop() -> None:
    def naive(score: float, same: bool) -> str:
        if same:
            return "true accept" if score >= 0.25 else "false reject"
        return "false accept" if score >= 0.25 else "true reject"

    scores = np.array([0.25, *SCORES])  # a score at the threshold is accepted
    same = np.array([True, *SAME])
    assert [OUTCOMES[number] for number in outcomes(scores, same, 0.25)] == [
        naive(*pair) for pair in zip(scores, same.tolist(), strict=True)
    ]
