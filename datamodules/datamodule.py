"""The Lightning data module over the crops of one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from configs.interfaces import Augmentation, BatchesConfig
from datamodules.augmentations._base import augmentation_seed
from datamodules.batches.shuffled import ShuffledConfig as Shuffled
from datamodules.crops import CropTable
from datamodules.prefetching import PrefetchingLoader

Item = tuple[np.ndarray, Any, int]


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, 3) to float32 (3, H, W) in [-1, 1]: x / 127.5 - 1."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div_(127.5).sub_(1.0)


def to_batch(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images as ``to_tensor`` makes each of them, bit for bit: float32 (B, 3, H, W); labels (B, ...) and rows int64 (B,)."""
    height, width, _ = items[0][0].shape
    images = np.empty((len(items), 3, height, width), np.float32)
    for place, (image, _, _) in enumerate(items):
        images[place] = image.transpose(2, 0, 1)
    # By NumPy: torch would start threads of its own in whatever thread this runs.
    images /= np.float32(127.5)
    images -= np.float32(1)
    labels = torch.from_numpy(np.stack([item[1] for item in items]))
    return torch.from_numpy(images), labels, torch.tensor([item[2] for item in items])


class TrainFaces(Dataset[Item]):
    """Item (epoch, row): image uint8 (height, width, 3), label, row."""

    def __init__(self, crops: CropTable, labels: np.ndarray, augmentation: Augmentation, seed: int) -> None:
        self.crops = crops
        self.labels = labels
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, item: tuple[int, int]) -> Item:
        epoch, row = item
        image = self.augmentation(self.crops[row], augmentation_seed(self.seed, epoch, row))
        return image, self.labels[row], row


class PlainFaces(Dataset[Item]):
    """Item i: the crop of ``rows[i]`` without augmentation, as in ``TrainFaces``."""

    def __init__(self, crops: CropTable, labels: np.ndarray, rows: Sequence[int] | np.ndarray) -> None:
        self.crops = crops
        self.labels = labels
        self.rows = np.asarray(rows, np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = int(self.rows[index])
        return self.crops[row], self.labels[row], row


def _one_thread(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # a forked process has lost OpenCV's threads, and may wait for them for ever


class FaceDataModule(pl.LightningDataModule):
    """Batches (images (B, 3, H, W), labels (B,), rows (B,)); their bytes do not depend on ``workers``.

    The trainer must be made with ``use_distributed_sampler=False``: the sampler shares an epoch between the ranks itself. Every
    rank validates on all validation rows, in order.

    Args:
        crops: the images, by row of the manifest
        labels: (len(crops), ...), the label of each row, as the network takes it
        train_rows: rows to train on
        validation_rows: rows to validate on; may be empty
        augmentation: applied in training only
        batch_size: images per step and rank
        seed: decides order and augmentation
        workers: processes that load; 0: a thread of this one, which makes the next batch while one is trained on
        batches: which images come together; None: all, shuffled
        identities: int64 (len(crops),), by which ``batches`` chooses; None: the labels

    Raises:
        ValueError: there is nothing to train on.
    """

    def __init__(
        self,
        crops: CropTable,
        labels: np.ndarray,
        train_rows: Sequence[int] | np.ndarray,
        validation_rows: Sequence[int] | np.ndarray,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        workers: int = 0,
        batches: BatchesConfig | None = None,
        identities: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        assert len(labels) == len(crops), (len(labels), len(crops))
        if not len(train_rows):
            raise ValueError("no images to train on")
        self.train_faces = TrainFaces(crops, labels, augmentation, seed)
        self.validation_faces = PlainFaces(crops, labels, validation_rows)
        self.train_rows = np.asarray(train_rows, np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers
        self.batches = batches or Shuffled()
        self.identities = labels if identities is None else identities
        self._start = (0, 0)

    def start_batch(self, epoch: int, batch: int) -> None:
        """After a resume within ``epoch``: its first ``batch`` batches were trained on before and are skipped."""
        self._start = (epoch, batch)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of a whole epoch on each rank."""
        sampler = self.sampler()
        return len(sampler) // self.batch_size if sampler.drop_last else 1

    def sampler(self) -> Any:
        """The order of training, for the trainer's rank and epoch."""
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        sampler = self.batches.build(self.train_rows, self.identities[self.train_rows], self.batch_size, self.seed, rank, world)
        # Lightning makes the first iterator before it tells the sampler the epoch, and workers start at once.
        sampler.set_epoch(trainer.current_epoch if trainer else 0)
        sampler.start_batch(*self._start)
        return sampler

    def train_dataloader(self) -> DataLoader[Any]:
        sampler = self.sampler()
        return self._loader(self.train_faces, sampler=sampler, drop_last=sampler.drop_last)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        return self._loader(self.validation_faces) if len(self.validation_faces) else []

    def _loader(self, faces: Dataset[Item], **more: Any) -> DataLoader[Any]:
        return PrefetchingLoader(
            faces,
            collate_fn=to_batch,
            batch_size=self.batch_size,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
            generator=torch.Generator().manual_seed(self.seed % 2**63),  # else each iterator draws from torch's global state
            **more,
        )
