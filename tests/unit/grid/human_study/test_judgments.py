from pathlib import Path

import numpy as np
from human_studies import bundle

from grid.human_study.answers import Answers
from grid.human_study.design import Inclusion
from grid.human_study.judgments import Judgments, finished


def test_those_who_finished_are_read_in_the_order_of_the_design(tmp_path: Path) -> None:
    """Whatever order the pairs were shown in."""
    design = bundle(tmp_path, pairs=8)
    answers = Answers(tmp_path, design)
    generator = np.random.default_rng(0)
    wanted = {}
    for stop in (16, 16, 15, 0):
        person = answers.participant(answers.join())
        assert person is not None
        given = generator.integers(1, 6, (2, 8))
        trials = [(number, pair) for number in (1, 2) for pair in person.orders[number - 1]]
        for number, pair in trials[:stop]:
            place = [one.id for one in design.pairs].index(pair)
            answers.store(person, number, pair, int(given[number - 1, place]), 100 * place)
        if stop == 16:
            wanted[person.letter] = given
    found = finished(design, answers.all())
    assert found.letters.tolist() == list(wanted)
    assert np.array_equal(found.choices, list(wanted.values()))
    assert found.milliseconds[0, 0].tolist() == [100 * place for place in range(8)]
    naive = [
        [np.mean([(c <= 2) == p.same for c, p in zip(row, design.pairs, strict=True)]) for row in one]
        for one in wanted.values()
    ]
    assert np.allclose(found.accuracy, naive)


def test_no_participants_are_no_error(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=4)
    assert finished(design, []).accuracy.shape == (0, 2)


def test_the_rule_of_inclusion_looks_at_the_first_pass_only() -> None:
    same = np.array([True, True, False, False])
    right, wrong = np.array([1, 1, 5, 5]), np.array([5, 5, 1, 1])
    half = np.array([1, 5, 5, 1])
    choices = np.stack([[right, wrong], [half, right], [wrong, right]])
    milliseconds = np.stack([[np.full(4, 900)] * 2, [np.full(4, 200), np.full(4, 9000)], [np.full(4, 900)] * 2])
    found = Judgments(np.array(["A", "B", "C"]), choices, milliseconds, same)
    assert found.included(Inclusion(low=0.5)).letters.tolist() == ["A", "B"]
    assert found.included(Inclusion(low=0.5, high=0.9)).letters.tolist() == ["B"]
    assert found.included(Inclusion(seconds=0.5)).letters.tolist() == ["A", "C"]
    assert found.included(Inclusion()).letters.tolist() == ["A", "B", "C"]
