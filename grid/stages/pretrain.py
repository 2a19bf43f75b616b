"""Source pretraining: like ``train``, but on another dataset, and shared by every cell that starts from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.stages import train
from grid.stages.context import Context, Result


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes the same files as ``train``; ``model.safetensors`` holds the backbone that cells load."""
    return train.run(config, context)
