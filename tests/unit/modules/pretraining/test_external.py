"""The weights of a finished network are in its own file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from onnx_networks import network, save

from configs.lookup import resolve
from modules.backbones.external import ExternalConfig
from modules.pretraining.external import ExternalWeightsConfig

WEIGHTS = ExternalWeightsConfig()


def test_the_content_of_the_file_identifies_the_network(tmp_path: Path) -> None:
    one = ExternalConfig(path=save(tmp_path / "a.onnx", network()))
    same = ExternalConfig(path=save(tmp_path / "b.onnx", network()))
    other = ExternalConfig(path=save(tmp_path / "c.onnx", network(seed=1)))
    assert WEIGHTS.content(one) == WEIGHTS.content(same) != WEIGHTS.content(other)
    assert one.identity() == same.identity()


def test_a_missing_file_and_another_backbone_are_named(tmp_path: Path) -> None:
    absent = WEIGHTS.missing(ExternalConfig(path=tmp_path / "a.onnx"))
    assert absent is not None
    assert "a.onnx is no file here" in str(absent)
    backbone: Any = resolve("backbone", "alexnet")
    assert "found alexnet" in str(WEIGHTS.impossible(backbone))
    with pytest.raises(ValueError, match="is for backbones external"):
        WEIGHTS.content(backbone)


def test_a_damaged_file_is_refused_when_the_grid_is_planned(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="truncated"):
        WEIGHTS.check(ExternalConfig(path=path))


def test_a_program_that_is_not_trusted_is_refused_when_the_grid_is_planned(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Flatten()).save(str(tmp_path / "a.pt"))
    with pytest.raises(ValueError, match=r"backbone\.trusted: true"):
        WEIGHTS.check(ExternalConfig(path=tmp_path / "a.pt"))
    WEIGHTS.check(ExternalConfig(path=tmp_path / "a.pt", trusted=True))
