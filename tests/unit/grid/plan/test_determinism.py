"""What a plan says of a network of a user's own that torch cannot train deterministically on a GPU."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from grid.plan.determinism import determinism_lines
from grid.plan.plan import make_plan
from grid.spec.grid_file import Grid

OWN = """
from typing import Literal

from torch import nn

from configs.network_interfaces import BackboneConfig


class PooledConfig(BackboneConfig):
    name: Literal["{package}.pooled"] = "{package}.pooled"

    def build(self):
        made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(5))
        made.channels, made.stages = 4, lambda: {{"pool": made[1]}}
        return made
"""


@pytest.fixture
def axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, str]]]:
    package = "lab_of_the_pool"
    (tmp_path / package).mkdir()
    (tmp_path / package / "pooled.py").write_text(OWN.format(package=package))
    (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    names = {"own": f"{package}.pooled", "alexnet": "alexnet"}
    return {"backbone": {level: {"backbone.name": name} for level, name in names.items()}}


def lines(grid: Grid) -> list[str]:
    return determinism_lines(make_plan(grid))


def test_the_backbone_and_its_operation_are_named_where_a_gpu_may_be_used(
    make: Callable[..., Grid], axes: dict[str, dict[str, dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lines(make(axes=axes)) == []
    wanted = [
        "backbone lab_of_the_pool.pooled: the gradient of AdaptiveAvgPool2d has no deterministic form on GPUs, so the training "
        "of 1 cell would fail there; set compute.deterministic to warn or false"
    ]
    assert lines(make("launch.address=auto", axes=axes)) == wanted
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert lines(make(axes=axes)) == wanted
    assert lines(make("launch.resources.gpus=0", axes=axes)) == []
    for setting in ("warn", "false"):
        assert lines(make(f"compute.deterministic={setting}", axes=axes)) == []


@pytest.mark.parametrize("key", ["tf32", "deterministic"])
def test_defaults_are_left_out_of_the_id_and_other_values_are_not(make: Callable[..., Grid], key: str) -> None:
    def train(*overrides: str) -> str:
        plan = make_plan(make(*overrides, axes={}))
        return next(stage.id for stage in plan.stages if stage.stage == "train")

    default, other = {"tf32": ("false", "true"), "deterministic": ("true", "warn")}[key]
    assert train() == train(f"compute.{key}={default}") != train(f"compute.{key}={other}")


def test_another_word_for_deterministic_is_refused(refused: Callable[..., str]) -> None:
    assert "compute.deterministic" in refused("compute.deterministic=maybe")
