"""The Lightning data module for the face crops of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from configs.data_interfaces import Augmentation, BatchAugmentation, BatchesConfig
from datamodules.augmentations._base import augmentation_seed
from datamodules.augmented import applied, augmented, prepared
from datamodules.batches.shuffled import ShuffledConfig as Shuffled
from datamodules.crops import CropTable
from datamodules.normalization import normalized
from datamodules.prefetching import PrefetchingLoader
from datamodules.sharing import Share, part_of

Item = tuple[np.ndarray, Any, int]
PreparedItem = tuple[np.ndarray, Any, int, np.ndarray]  # with the parameters of a ``BatchAugmentation``


def to_batch(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Collates images bit-identically to ``to_tensor``: float32 (B, 3, H, W), labels (B, ...) and rows int64 (B,)."""
    height, width, _ = items[0][0].shape
    images = np.empty((len(items), 3, height, width), np.float32)
    for place, (image, _, _) in enumerate(items):
        images[place] = image.transpose(2, 0, 1)
    # With NumPy, because torch would start threads of its own in the calling thread.
    images /= np.float32(127.5)
    images -= np.float32(1)
    return torch.from_numpy(images), *_labels_and_rows(items)


def to_pixels(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Like ``to_batch``, but images stay uint8 (B, H, W, 3), a quarter of the bytes; ``normalized`` does the rest."""
    return torch.from_numpy(np.stack([item[0] for item in items])), *_labels_and_rows(items)


def to_prepared(items: Sequence[PreparedItem]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Like ``to_pixels``, with the parameters of each image: float32 (B, P)."""
    pixels, labels, rows = to_pixels([item[:3] for item in items])
    return pixels, labels, rows, torch.from_numpy(np.stack([item[3] for item in items]))


def _labels_and_rows(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.stack([item[1] for item in items])), torch.tensor([item[2] for item in items])


class TrainFaces(Dataset[Item | PreparedItem]):
    """Training images: item (epoch, row) is image uint8 (height, width, 3), label, row.

    A third number, of times that the epoch had the row before, gives the image another augmentation.

    With a ``BatchAugmentation``, the image after the loader's part, and its parameters as the last entry.
    """

    def __init__(self, crops: CropTable, labels: np.ndarray, augmentation: Augmentation, seed: int) -> None:
        self.crops = crops
        self.labels = labels
        self.augmentation: Any = augmentation
        self.seed = seed
        self.batched = isinstance(augmentation, BatchAugmentation)

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, item: tuple[int, ...]) -> Item | PreparedItem:
        row = item[1]
        crop, seed = self.crops[row], augmentation_seed(self.seed, *item)
        if self.batched:
            image, parameters = prepared(self.augmentation, crop, seed)
            return image, self.labels[row], row, parameters
        return augmented(self.augmentation, crop, seed), self.labels[row], row


class PlainFaces(Dataset[Item]):
    """Images without augmentation: item i is the crop of ``rows[i]``, with label and row as in ``TrainFaces``."""

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

    cv2.setNumThreads(0)  # OpenCV's threads do not exist in a forked process, which may wait for them forever


class FaceDataModule(pl.LightningDataModule):
    """Batches (images (B, 3, H, W), labels (B,), rows (B,)), bit-identical for any number of ``workers``.

    For a GPU, loaders give pixels (B, H, W, 3), which are normalized on the device. Those of a training with a
    ``BatchAugmentation`` give them for every device, with the parameters of each image, and the device changes them before.

    Use a trainer with ``use_distributed_sampler=False``, because batches are divided here: of each training batch, and of the
    validation rows, rank r of ``world`` has images r, r + world, ... (``datamodules.sharing``). No image is repeated.

    Args:
        crops: the images, by row of the manifest
        labels: (len(crops), ...), the label of each row, as passed to the loss
        train_rows: rows to train on
        validation_rows: rows to validate on; may be empty
        augmentation: applied in training only
        batch_size: images per step on all ranks together
        seed: seed of order and augmentation
        workers: number of loader processes; 0: a thread of this process prepares the next batch during a training step
        batches: composition of the batches; None: shuffled images
        identities: int64 (len(crops),), used by ``batches``; None: the labels

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
        self.allow_zero_length_dataloader_with_multiple_devices = True  # there may be fewer validation images than ranks
        assert len(labels) == len(crops), (len(labels), len(crops))
        if not len(train_rows):
            raise ValueError("no images to train on")
        self.train_faces = TrainFaces(crops, labels, augmentation, seed)
        self.crops, self.labels = crops, labels
        self.validation_rows = np.asarray(validation_rows, np.int64)
        self.train_rows = np.asarray(train_rows, np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers
        self.batches = batches or Shuffled()
        self.identities = labels if identities is None else identities
        self._start = (0, 0)
        self._share: Share | None = None

    def start_batch(self, epoch: int, batch: int) -> None:
        """After a resume within ``epoch``, skips its first ``batch`` batches, which were already trained on."""
        self._start = (epoch, batch)

    @property
    def steps_per_epoch(self) -> int:
        """Batches per complete epoch."""
        sampler = self.sampler()
        return len(sampler) // self.batch_size if sampler.drop_last else 1

    @property
    def _place(self) -> tuple[int, int]:
        """The trainer's rank, and the number of ranks."""
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)

    @property
    def _on_gpu(self) -> bool:
        trainer = self.trainer
        return trainer is not None and trainer.strategy.root_device.type == "cuda"

    @property
    def _collate(self) -> Callable[..., Any]:
        return to_pixels if self._on_gpu else to_batch

    @property
    def _collate_training(self) -> Callable[..., Any]:
        return to_prepared if self.train_faces.batched else self._collate

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """From what loaders give to (images, labels, rows), on the device."""
        images, labels, rows, *parameters = batch
        if parameters:
            images = applied(self.train_faces.augmentation, images, *parameters)
        return normalized(images) if images.dtype == torch.uint8 else images, labels, rows

    def sampler(self) -> Any:
        """The training sampler for the trainer's epoch, before batches are divided between ranks."""
        trainer = self.trainer
        sampler = self.batches.build(self.train_rows, self.identities[self.train_rows], self.batch_size, self.seed)
        # Lightning creates the first iterator before it sets the sampler's epoch, and workers start immediately.
        sampler.set_epoch(trainer.current_epoch if trainer else 0)
        sampler.start_batch(*self._start)
        return sampler

    def train_dataloader(self) -> DataLoader[Any]:
        sampler, (rank, world) = self.sampler(), self._place
        if world > 1:
            sampler = self._share = Share(sampler, self.batch_size, rank, world)
        return self._loader(self.train_faces, self._collate_training, sampler=sampler, drop_last=sampler.drop_last)

    def labels_of_all(self, rows: torch.Tensor) -> torch.Tensor:
        """The labels of all ranks in the training batch in which this rank has ``rows``: (batch, ...) on the host.

        To be called for each batch of the training loader, in their order.
        """
        assert self._share is not None, "one rank has all labels"
        labels = torch.from_numpy(self.labels[self._share.together(rows.tolist())])
        return labels.pin_memory() if self._on_gpu else labels  # otherwise copying it would wait for the device

    def batches_here(self) -> Iterator[Any]:
        """The training batches from the current position on, each prepared in the calling thread when it is asked for."""
        sampler = self.sampler()
        yield from DataLoader(
            self.train_faces,
            self.batch_size,
            sampler=sampler,
            drop_last=sampler.drop_last,
            collate_fn=self._collate_training,
            generator=torch.Generator(),
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        if not len(self.validation_rows):
            return []
        rank, world = self._place
        return self._loader(PlainFaces(self.crops, self.labels, self.validation_rows[rank::world]), self._collate)

    def _loader(self, faces: Dataset[Any], collate: Callable[..., Any], **more: Any) -> DataLoader[Any]:
        return PrefetchingLoader(
            faces,
            collate_fn=collate,
            batch_size=part_of(self.batch_size, *self._place),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
            generator=torch.Generator().manual_seed(self.seed % 2**63),  # otherwise each iterator uses torch's global generator
            **more,
        )
