"""Every image once per epoch, in a new random order each time."""

from __future__ import annotations

from typing import Any, Literal

from configs.data_interfaces import BatchesConfig
from datamodules.samplers import EpochSampler


class ShuffledConfig(BatchesConfig):
    name: Literal["shuffled"] = "shuffled"

    def build(self, rows: Any, labels: Any, batch_size: int, seed: int) -> EpochSampler:
        return EpochSampler(rows, batch_size, seed)
