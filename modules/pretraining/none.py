"""No pretraining: random initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from configs.network_interfaces import BackboneConfig, PretrainingConfig


class NoPretrainingConfig(PretrainingConfig):
    """Keeps the random initialization."""

    name: Literal["none"] = "none"

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Does nothing."""
