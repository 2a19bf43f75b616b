import csv
import io
from pathlib import Path

import pytest
from human_studies import bundle

from grid.human_study.answers import Answers
from grid.human_study.design import ANSWERS
from grid.human_study.export import COLUMNS, answers_csv
from grid.spec.grid_file import BadInput


def test_every_answer_is_a_line_with_the_truth_beside_it(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=4)
    answers = Answers(tmp_path, design)
    person = answers.participant(answers.join())
    assert person is not None
    for at, pair in enumerate(person.orders[0]):
        answers.store(person, 1, pair, at + 1, 100 * at)
    answers.close()
    rows = list(csv.DictReader(io.StringIO(answers_csv(tmp_path))))
    assert tuple(rows[0]) == COLUMNS
    pairs = {pair.id: pair for pair in design.pairs}
    for at, row in enumerate(rows):
        pair = pairs[person.orders[0][at]]
        said = "same" if at < 2 else "different"
        truth = "same" if pair.same else "different"
        assert (row["participant"], row["group"], row["pass"]) == ("1", person.letter, "1")
        assert (row["position"], row["choice"], row["milliseconds"]) == (str(at), str(at + 1), str(100 * at))
        assert (row["left"], row["said"], row["truth"]) == (pair.left, said, truth)
        assert row["correct"] == str(int(said == truth))
        assert row["network_correct"] == str(int(pair.accepted == pair.same))


def test_a_bundle_without_answers_says_what_collects_them(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    with pytest.raises(BadInput, match="no answers yet; `facegrid study serve"):
        answers_csv(tmp_path)
    assert not (tmp_path / ANSWERS).exists()
