import numpy as np
import pytest

from grid.human_study.complementarity import complementarity


def test_it_is_what_a_loop_counts() -> None:
    generator = np.random.default_rng(0)
    correct = generator.random((7, 2, 40)) < generator.random(40)
    network = generator.random(40) < 0.7
    found = complementarity(correct, network)
    wrong = [pair for pair in range(40) if not network[pair]]
    assert found.network_errors == len(wrong)
    for number in (0, 1):
        assert found.people_there[number] == pytest.approx(np.mean([correct[p, number, j] for p in range(7) for j in wrong]))
    hard = [pair for pair in range(40) if sum(correct[p, 0, pair] for p in range(7)) < 3.5]
    assert 0 < len(hard) < 40
    assert found.hard_pairs == len(hard)
    assert found.network_there == pytest.approx(np.mean([network[pair] for pair in hard]))
    mistakes = [pair for pair in range(40) for p in range(7) if not correct[p, 0, pair]]
    assert found.network_at_mistakes == pytest.approx(np.mean([network[pair] for pair in mistakes]))
    assert found.either == pytest.approx(np.mean([network[pair] or pair not in hard for pair in range(40)]))


def test_without_errors_there_is_nothing_to_share() -> None:
    found = complementarity(np.ones((3, 2, 5), bool), np.ones(5, bool))
    assert found.people_there == (None, None)
    assert found.network_there is None
    assert found.network_at_mistakes is None
    assert found.either == 1.0
