"""Validation images choose the epoch that is kept, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import torch
from rank_trainings import PROGRAM

TRIPLET = {"name": "triplet", "margin": 1.0}
PK = {"batches": {"name": "pk", "images": 2}, "recipe": {"batch_size": 6, "lr": 0.01, "select": "last"}}
LOSSES = {
    "softmax": "softmax",
    "triplet": TRIPLET,
    "offline triplets": {**TRIPLET, "mining": "offline", "every": 1, "subset": 12},
    "centers": {"name": "sum", "terms": [{"loss": TRIPLET}, {"weight": 0.1, "loss": "center"}]},
}
OTHERS = PROGRAM.replace("\nclass Crops", "IMAGES[:5] = 255 - IMAGES[:5]\n\nclass Crops")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_they_leave_the_weights_as_they_are(tmp_path: Path, loss: Any) -> None:
    """Offline triplets and centers remember the images that they see in training mode."""
    weights = []
    for number, program in enumerate((PROGRAM, OTHERS)):
        (place := tmp_path / str(number)).mkdir()
        names: dict[str, Any] = {"rank": None, "cases": [{"loss": loss, **PK}], "place": place}
        exec(compile(program, "<program>", "exec"), names)
        ((history, kept, *_),) = names["result"]
        weights.append(kept)
    assert OTHERS != PROGRAM
    assert len(history) == 2
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
