"""A pretraining with pinned weights finds the first file, converts it, and reports what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from configs.component import Missing
from configs.lookup import resolve
from configs.network_interfaces import BackboneConfig
from modules.weights.pinned_pretraining import PinnedPretraining
from modules.weights.published import PinnedWeights


class Halved(PinnedPretraining):
    name: str = "imagenet"  # the source that backbones are asked for
    folders: tuple[Path, ...] = ()

    def places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        return tuple(folder / pinned.file for folder in self.folders)

    def impossible(self, backbone: BackboneConfig) -> str | None:
        return f"nothing for {backbone.name}"

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        found = any(place.is_file() for place in self.places(self.pinned(backbone)))
        return None if found else Missing("no file", "get it")

    def converted(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: value / 2 for name, value in state.items()}


ALEXNET: BackboneConfig = resolve("backbone", "alexnet")  # type: ignore[assignment]


def test_the_first_file_is_converted_and_loaded(tmp_path: Path) -> None:
    state = {name: torch.full_like(value, 6) for name, value in ALEXNET.build().state_dict().items()}
    file = tmp_path / "b" / ALEXNET.weights_of("imagenet").file  # type: ignore[union-attr]
    file.parent.mkdir()
    torch.save(state, file)
    config = Halved(folders=(tmp_path / "a", tmp_path / "b"))
    assert config.file(ALEXNET) == file
    config.check(ALEXNET)
    backbone = ALEXNET.build()
    config.load(backbone, ALEXNET, None)
    assert all(bool((value == 3).all()) for value in backbone.state_dict().values())


def test_problems_name_the_file_or_the_backbone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        Halved(folders=(tmp_path,)).check(ALEXNET)
    with pytest.raises(ValueError, match="pretraining imagenet: nothing for mobilenetv3_small; choose another pretraining"):
        Halved(folders=(tmp_path,)).check(resolve("backbone", "mobilenetv3_small"))  # type: ignore[arg-type]
    lite: BackboneConfig = resolve("backbone", "efficientnet_lite0")  # type: ignore[assignment]
    file = tmp_path / lite.weights_of("imagenet").file  # type: ignore[union-attr]
    torch.save({"odd.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=f"{file.name}: odd.weight is no name"):
        Halved(folders=(tmp_path,)).check(lite)
