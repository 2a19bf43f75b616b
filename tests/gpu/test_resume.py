"""A training that was stopped in the middle of an epoch ends with the bits of one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_runs import BATCH, Saves, differing, faces, recognizer, train

STEPS = 6
FIELDS = {"epochs": 2, "optimizer": "adamw", "lr": 0.01, "weight_decay": 0.01, "ema": 0.9, "clip": 1.0}
CASES = {
    "everything": {**FIELDS, "loss": {"name": "arcface", "sample": 0.5, "scale": 16}},
    "momentum": {"epochs": 2, "loss": {"name": "cosface", "sample": 0.5, "scale": 16}, "channels_last": True},
    "accumulated": {**FIELDS, "accumulate": 2, "batch_size": 2 * BATCH},
    "offline triplets": {"epochs": 2, "loss": {"name": "triplet", "mining": "offline", "every": 2, "subset": 16}},
}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("title", CASES)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_training_is_the_undisturbed_one(
    accelerator: str, tmp_path: Path, title: str, precision: str, workers: int
) -> None:
    if workers and title != "everything":
        pytest.skip("loader processes are tried once")

    def made() -> tuple:
        data = faces(STEPS, 64, workers=workers, augmentation="flip")
        assert data.steps_per_epoch == STEPS
        fields = dict(CASES[title])
        return recognizer(data, "mobilenetv3_small", fields.pop("loss", "softmax"), **fields), data

    whole = train(*made(), accelerator, precision)
    stopping = Saves(tmp_path, stop_after=5)  # also asked at the end of an epoch
    train(*made(), accelerator, precision, saves=stopping)
    assert stopping.last is not None
    one, data = made()
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.fill_(9.0)  # a resumed training owes nothing to how its objects began
    torch.manual_seed(123456)
    resumed = train(one, data, accelerator, precision, checkpoint=stopping.last)
    assert "None" not in stopping.last.name, "it stopped in the middle of an epoch"
    assert not differing(whole, resumed)
    assert whole.history == resumed.history
