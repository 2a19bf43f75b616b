from pathlib import Path

import numpy as np
import pytest
from human_studies import bundle

from grid.human_study.analysis import PAPER, analyze
from grid.human_study.answers import Answer
from grid.human_study.design import Design, Inclusion
from grid.human_study.raters import Raters


def given(design: Design, sizes: tuple[int, ...] = (4, 4, 4), gain: float = 0.1, seed: int = 0) -> list[Answer]:
    """The answers of simulated people, of whom the first group gains."""
    letters = np.repeat(design.letters, sizes)
    choices = Raters().choices(design.same, np.where(letters == "A", gain, 0.0), np.random.default_rng(seed))
    return [
        Answer(
            person + 1,
            str(letters[person]),
            number,
            at,
            design.pairs[at].id,
            int(choices[person, number - 1, at]),
            1000 * number,
        )
        for person in range(len(letters))
        for number in (1, 2)
        for at in range(len(design.pairs))
    ]


def test_the_table_is_that_of_a_loop(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=40)
    answers = given(design)
    found = analyze(design, answers, {"A": 4, "B": 4, "C": 5})
    (sample,) = found.samples
    truth = {pair.id: pair.same for pair in design.pairs}
    assert [(line.letter, line.number) for line in sample.lines] == [(letter, number) for letter in "ABC" for number in (1, 2)]
    for line in sample.lines:
        scores: dict[int, list[bool]] = {}
        for one in answers:
            if (one.letter, one.number) == (line.letter, line.number):
                scores.setdefault(one.participant, []).append((one.choice <= 2) == truth[one.pair])
        shares = [np.mean(values) for values in scores.values()]
        assert line.people == len(shares) == 4
        assert line.mean == pytest.approx(np.mean(shares))
        assert line.deviation == pytest.approx(np.std(shares, ddof=1))
        assert line.paper == PAPER[line.title][line.number - 1]
        assert line.seconds == line.number
    assert found.network == design.network_correct.mean()
    assert sample.benefit is not None
    assert sample.benefit.degrees == (2, 9)


def test_everyone_is_reported_beside_those_whom_the_declared_rule_keeps(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=40, inclusion=Inclusion(low=0.76))
    found = analyze(design, given(design, (8, 8, 8)), {})
    everyone, kept = found.samples
    assert len(everyone.judgments.letters) == 24
    assert 6 < len(kept.judgments.letters) < 20
    assert kept.judgments.accuracy[:, 0].min() >= 0.76
    assert "from 76 % to 100 %" in kept.title


def test_any_number_of_answers_can_be_analyzed(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=10, inclusion=Inclusion(low=0.99))
    for answers in ([], given(design)[:7], given(design, (1, 0, 0)), given(design, (3, 2, 0))):
        found = analyze(design, answers, {})
        for sample in found.samples:
            assert (sample.benefit is None) == (sample.trouble is not None)
            assert len(sample.lines) == 2 * len(set(sample.judgments.letters))
    assert (
        analyze(design, given(design, (1, 0, 0)), {}).samples[0].trouble.endswith("group A has 1, group B has 0, group C has 0")
    )


def test_groups_in_which_nobody_finished_are_not_left_out_of_the_test(tmp_path: Path) -> None:
    (sample,) = analyze(design := bundle(tmp_path, pairs=10), given(design, (3, 0, 3)), {}).samples
    assert sample.benefit is None
    assert sample.trouble == "each group needs at least two participants; group B has 0"


def test_the_figures_of_the_paper_are_those_of_its_table() -> None:
    """As printed in Table I; the gain of pairwise occlusion is the 8 points of its abstract."""
    (first, _), (second, deviation) = PAPER["pair_occlusion"]
    assert round(second - first) == 8
    assert deviation == 1.13
    assert all(abs(after[0] - before[0]) < 0.3 for name, (before, after) in PAPER.items() if name != "pair_occlusion")
