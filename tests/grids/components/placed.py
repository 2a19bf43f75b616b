"""MTCNN that writes down what Ray reserved for it."""

from __future__ import annotations

import json
import os
from typing import Any, Literal

from datamodules.detectors.mtcnn import MTCNNConfig


class Config(MTCNNConfig):
    name: Literal["components.placed"] = "components.placed"  # type: ignore[assignment]

    def build(self, device: str = "cpu") -> Any:
        import ray

        if folder := os.environ.get("FACEGRID_TEST_SHARES"):
            with open(os.path.join(folder, "detect"), "a", encoding="ascii") as file:
                group = ray.util.get_current_placement_group()  # None where the memory of a training is measured
                file.write(json.dumps(group and group.bundle_specs) + "\n")
        return super().build(device)
