"""A training that measures its loader and its step at the start has the bits of one that does not."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from training_runs import differing, faces, recognizer, train

from grid.stages.measured_loader import LOGGER, MeasuredLoader


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("loss", ["arcface", {"name": "arcface", "sample": 0.5}, "triplet"], ids=["all", "sampled", "triplet"])
def test_measuring_changes_no_bit(accelerator: str, precision: str, loss: Any, caplog: pytest.LogCaptureFixture) -> None:
    found = []
    for callbacks in ([], [MeasuredLoader(None)]):
        data = faces(4, 64, augmentation="flip")
        with caplog.at_level(logging.INFO, LOGGER):
            found.append(train(recognizer(data, "mobilenetv3_small", loss), data, accelerator, precision, callbacks=callbacks))
    assert differing(*found) == []
    assert found[0].history == found[1].history
    assert " ms a batch, step: " in caplog.text, "it was measured"
