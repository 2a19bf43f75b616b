"""A data module over a list of images and labels."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch


class RowData(pl.LightningDataModule):
    """Trains and validates on the same rows, in their order."""

    def __init__(self, rows: Sequence[Any], batch: int) -> None:
        super().__init__()
        self.rows, self.batch = rows, batch

    def start_batch(self, epoch: int, batch: int) -> None:
        """Needs to know nothing of it."""

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.rows, self.batch)  # type: ignore[arg-type]

    val_dataloader = train_dataloader
