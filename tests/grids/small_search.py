"""A grid in whose launch a search for dense layers takes seconds: its data, network and protocol."""

from __future__ import annotations

from typing import Any

DRAWN = {"name": "drawn", "shots": 4, "size": 64}
BASE: dict[str, Any] = {
    "data": {**DRAWN, "subjects": 12},
    "split": {"fraction": 0.25, "by": "identities"},
    "input": {"size": 32},
    "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
    "head": "dense",
    "targets": {"gender": {"loss": "binary"}},
    "recipe": {"name": "cosine", "optimizer": "adamw", "lr": 0.01, "epochs": 2, "batch_size": 8},
}
PROTOCOL = {"name": "attributes", "data": {**DRAWN, "first": 500, "subjects": 6}}
