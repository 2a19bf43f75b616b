"""A decoder trained on a finished network leaves the network as it is."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from configs.lookup import resolve
from grid.execution.job import RunOptions, begin
from grid.spec.cell import Cell
from grid.stages.extra import decode
from grid.stages.extra.decode import decoding
from modules.training.stopped import Stopped


def test_every_weight_and_statistic_of_the_network_stays_bit_identical(studied_cell: Any) -> None:
    before = load_file(studied_cell.path("train", "model.safetensors"))
    after = load_file(studied_cell.path("decode", "model.safetensors"))
    assert any("running_var" in name for name in before)
    assert any("num_batches_tracked" in name for name in before)
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
    assert {name.split(".")[0] for name in after.keys() - before.keys()} == {"decoder"}


def test_the_decoder_has_learned(studied_cell: Any) -> None:
    history = studied_cell.json("decode", "history.json")
    assert len(history) == 2
    assert history[1]["train_loss"] < history[0]["train_loss"]
    assert history[1]["validation_loss"] == studied_cell.marker("decode").facts["validation_loss"]
    assert studied_cell.marker("decode").facts["network"] == studied_cell.marker("train").facts["network"]


def test_its_recipe_trains_the_decoder_only_and_needs_no_pairs() -> None:
    cell = Cell.model_validate(
        {
            "data": "drawn",
            "backbone": "alexnet",
            "loss": "triplet",
            "batches": {"name": "pk", "images": 4},
            "stages": ["decode"],
        }
    )
    found = decoding(cell.training(), cell.stages[0])  # type: ignore[arg-type]
    assert found.recipe.decodes_only
    assert found.batches.name == "shuffled"
    assert found.reconstruction is not None
    assert found.reconstruction.decoder.name == "unet"
    assert (found.data, found.split, found.backbone) == (cell.data, cell.split, cell.backbone)


@pytest.mark.parametrize(
    ("recipe", "said"), [("none", "recipe none trains nothing"), ({"name": "one_cycle", "trainable": 5}, "is 5")]
)
def test_another_recipe_is_refused(recipe: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve("stage", {"name": "decode", "recipe": recipe})


def test_an_interrupted_training_continues_and_gives_the_same_decoder(studied_cell: Any, tmp_path: Path) -> None:
    shutil.copytree(studied_cell.store, tmp_path / "store", ignore=shutil.ignore_patterns("decode"))
    job = replace(studied_cell.jobs["decode"], store=str(tmp_path / "store"))
    first: Any = begin(job)
    context = first.context(RunOptions())
    context.report = lambda row: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped after epoch 0"):
        decode.run(first.configs, context)
    first.attempt.close()
    second: Any = begin(job)
    result = decode.run(second.configs, second.context(RunOptions()))
    second.attempt.close()
    assert (second.attempt.path / "resumed.json").is_file()
    assert json.loads((second.attempt.path / "history.json").read_text()) == studied_cell.json("decode", "history.json")
    assert result.facts["epochs"] == 2
    after = load_file(second.attempt.path / "model.safetensors")
    for name, value in load_file(studied_cell.path("decode", "model.safetensors")).items():
        assert torch.equal(value, after[name]), name
