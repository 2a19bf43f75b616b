import io
from pathlib import Path

import numpy as np
import pytest
from human_studies import bundle
from PIL import Image

from grid.human_study import figures
from grid.human_study.analysis import analyze
from grid.human_study.answers import Answer
from grid.human_study.design import Design


def people(design: Design, better: bool) -> list[Answer]:
    """Three people per group; of the first pass the first three pairs are wrong, of the second none or the same."""
    found = []
    for person in range(9):
        for number in (1, 2):
            for at, pair in enumerate(design.pairs):
                right = at >= 3 + person % 3 or (better and number == 2)
                found.append(Answer(person + 1, "ABC"[person % 3], number, at, pair.id, 1 if right == pair.same else 5, 900))
    return found


@pytest.mark.parametrize("name", ["bars", "scatter", "curves"])
def test_a_figure_is_a_small_image_that_shows_the_data(tmp_path: Path, name: str) -> None:
    design = bundle(tmp_path, pairs=12)
    drawn = []
    for better in (True, False):
        found = analyze(design, people(design, better), {})
        data = getattr(figures, name)(found, found.samples[0])
        assert data == getattr(figures, name)(found, found.samples[0])
        drawn.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int64))
        assert len(data) < 120_000
    assert drawn[0].shape[2] == 3
    assert drawn[0].shape != drawn[1].shape or (drawn[0] != drawn[1]).any()
