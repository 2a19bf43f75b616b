"""A small network with random weights, evaluated on drawn faces, and its export."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save_file

from configs.lookup import resolve
from grid.export.export import export
from grid.export.package import Package
from grid.judge.judge import Request, judge
from grid.judge.networks import Judged
from grid.ledger.study import Study
from grid.results.model_loader import find
from modules.network import Network

SIDE = 64
DRAWN: dict[str, Any] = {"name": "drawn", "subjects": 16, "shots": 6, "folds": 4, "flip_test": True}


def study(folder: Path) -> Study:
    """The study of a MobileNet that was never trained."""
    parts: list[Any] = [resolve("backbone", "mobilenetv3_small"), resolve("head", {"name": "gap_bn", "dimension": 16})]
    torch.manual_seed(4)
    network = Network(parts[0], parts[1], resolve("loss", "softmax"), classes=2, size=SIDE)  # type: ignore[arg-type]
    folder.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "random.safetensors")
    pretraining = {"name": "checkpoint", "path": str(folder / "random.safetensors"), "head": True}
    fixed = {
        "backbone": "mobilenetv3_small",
        "head": {"name": "gap_bn", "dimension": 16},
        "pretraining": pretraining,
        "detector": "none",
    }
    one = Judged("random", folder, fixed, (SIDE, SIDE), None, "")
    console = Console(file=io.StringIO())
    found, _, done = judge(Request((one,), [DRAWN], folder / "study", frozenset()), console)
    assert done
    return found


def exported(folder: Path) -> Package:
    """The network of ``study``, exported beside it."""
    return export(find(study(folder).path, {}), folder / "model", 0.1, None)
