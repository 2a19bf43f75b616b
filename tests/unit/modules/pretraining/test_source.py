"""Weights made by a pretrain stage."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from configs.lookup import resolve
from modules.network import Network
from modules.pretraining.source import SourceConfig

ALEX: Any = resolve("backbone", "alexnet")


@pytest.fixture
def pretraining(tmp_path: Path) -> SourceConfig:
    return SourceConfig.model_validate({"name": "source", "data": {"name": "folder", "root": tmp_path}, "epochs": 2})


def test_parts_are_components_and_defaults_are_visible(pretraining: SourceConfig) -> None:
    assert type(pretraining.data).__module__ == "datamodules.datasets.folder"
    assert pretraining.detector.name == "none"
    assert pretraining.recipe is None
    identity = pretraining.identity()
    assert identity["data"]["name"] == "folder"
    assert identity["detector"] == pretraining.detector.identity()
    assert identity["epochs"] == 2


def test_a_recipe_of_its_own_is_resolved(tmp_path: Path) -> None:
    found = SourceConfig.model_validate({"data": {"name": "folder", "root": tmp_path}, "recipe": "plateau"})
    assert found.recipe is not None
    assert type(found.recipe).__module__ == "modules.recipes.plateau"


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(ValidationError, match="unknown dataset 'foldr'; did you mean 'folder'"):
        SourceConfig.model_validate({"data": {"name": "foldr"}})


def test_no_content_is_known_before_the_stage_has_run(pretraining: SourceConfig) -> None:
    assert pretraining.content(ALEX) is None
    assert pretraining.missing(ALEX) is None


def test_the_backbone_of_the_made_network_is_loaded(pretraining: SourceConfig, tmp_path: Path) -> None:
    parts: list[Any] = [resolve("head", "gap_bn"), resolve("loss", "softmax")]
    made = Network(ALEX, parts[0], parts[1], classes=3, size=64)
    save_file(made.state_dict(), tmp_path / "model.safetensors")
    backbone = ALEX.build()
    pretraining.load(backbone, ALEX, tmp_path / "model.safetensors")
    assert all(torch.equal(value, made.backbone.state_dict()[name]) for name, value in backbone.state_dict().items())


def test_a_made_file_of_another_backbone_is_refused(pretraining: SourceConfig, tmp_path: Path) -> None:
    save_file({"backbone.conv1.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: features\.0\.weight is missing"):
        pretraining.load(ALEX.build(), ALEX, tmp_path / "model.safetensors")
