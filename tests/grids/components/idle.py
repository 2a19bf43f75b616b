"""No augmentation. A process that imports this computes nothing in a training: it sleeps, and what else is spent is overhead.

FACEGRID_TEST_SPANS is a folder: each training leaves a file with its node, the GPUs that Ray gave it, CUDA_VISIBLE_DEVICES, and
when it began and ended. FACEGRID_TEST_FATAL is the number of a cell whose training kills its process.
"""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file

from configs.data_interfaces import AugmentationConfig
from grid.stages import train
from grid.stages.context import Context, Result


class Config(AugmentationConfig):
    """``number`` tells cells apart; ``seconds`` is how long a training sleeps."""

    name: Literal["components.idle"] = "components.idle"
    number: int = 0
    seconds: float = 0.0

    def build(self) -> Any:
        return unchanged


def unchanged(image: np.ndarray, seed: int) -> np.ndarray:
    return image


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Leaves what reports read of a training without epochs."""
    began = time.time()
    if str(config["training"].augmentation.number) == os.environ.get("FACEGRID_TEST_FATAL"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(config["training"].augmentation.seconds)
    (context.attempt.path / "history.json").write_text("[]", encoding="utf-8")
    save_file({"weight": torch.zeros(1)}, context.attempt.path / "model.safetensors")
    if folder := os.environ.get("FACEGRID_TEST_SPANS"):
        import ray

        placed = ray.get_runtime_context()
        span = [
            placed.get_node_id(),
            placed.get_accelerator_ids()["GPU"],
            os.environ.get("CUDA_VISIBLE_DEVICES"),
            began,
            time.time(),
        ]
        Path(folder, uuid.uuid4().hex).write_text(json.dumps(span), encoding="ascii")
    none = {"images": 0, "epochs": 0, "parameters": 0, "skipped_images": 0, "missing_faces": 0, "kept_epoch": None}
    return Result({"classes": 4, **none}, ("history.json", "model.safetensors"))


train.run = run
