from pathlib import Path

import numpy as np
import pytest
from human_studies import bundle, collecting

from grid.human_study.export import open_answers
from grid.human_study.judgments import finished
from grid.human_study.raters import Raters
from grid.human_study.rehearsal import rehearse
from grid.spec.grid_file import BadInput


@pytest.mark.slow
def test_thirty_simulated_participants_at_once_are_stored_as_they_answered(tmp_path: Path) -> None:
    """Every stored choice is the simulated one, whatever order it was asked in, so nothing is lost or exchanged."""
    design = bundle(tmp_path, pairs=20)
    with collecting(tmp_path) as (url, _):
        facts = rehearse(tmp_path, url, 30, 0.1, Raters(), 4)
    assert (facts["participants"], facts["answers"]) == (30, 30 * 40)
    _, answers = open_answers(tmp_path)
    assert answers.joined() == {"A": 10, "B": 10, "C": 10}
    found = finished(design, answers.all())
    gains = np.where(found.letters == "A", 0.1, 0.0)
    assert np.array_equal(found.choices, Raters().choices(design.same, gains, np.random.default_rng(4)))


def test_an_address_without_a_collector_is_one_line(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    with pytest.raises(BadInput, match="no collector answers there"):
        rehearse(tmp_path, "http://127.0.0.1:9", 1, 0.0, Raters(), 0)
