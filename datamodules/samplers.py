"""In which order images are trained on: a function of seed and epoch, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, row): each epoch, every row once, in an order that follows from (seed, epoch).

    Of several ranks, rank r takes items r, r + world, r + 2 world, ... of the one order, so that all together see what a single
    one would see. What does not divide by ``world`` is left out of that epoch. Set Lightning's
    ``use_distributed_sampler=False``, or it divides once more.

    Args:
        rows: rows of the manifest
        batch_size: images per step and rank
        seed: any integer
        rank: from 0 to world - 1
        world: how many processes share an epoch
    """

    def __init__(self, rows: Sequence[int] | np.ndarray, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        assert 0 <= rank < world, (rank, world)
        if len(rows) < world:
            raise ValueError(f"{len(rows)} training images cannot be shared by {world} processes")
        self.rows = np.asarray(rows, np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.epoch = 0
        self._start = (0, 0)  # epoch, batch

    @property
    def drop_last(self) -> bool:
        """Whether a last, smaller batch is left out: where there is a whole one. BatchNorm cannot train on one image."""
        return len(self) >= self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """The epoch to yield next; Lightning calls this."""
        self.epoch = epoch

    def start_batch(self, epoch: int, batch: int) -> None:
        """In ``epoch``, the first ``batch`` batches were trained on before: they are skipped. Other epochs are whole."""
        self._start = (epoch, batch)

    def order(self, epoch: int) -> np.ndarray:
        """All rows in the order of ``epoch``, before ranks take their share: int64."""
        # A seed of two words: (1, 2) and (2, 1) are unrelated. NumPy's words are not negative.
        random = np.random.default_rng([self.seed % 2**64, epoch])
        return self.rows[random.permutation(len(self.rows))]

    def __len__(self) -> int:
        """Images of a whole epoch on this rank; a resumed epoch yields fewer."""
        return len(self.rows) // self.world

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        share = self.order(epoch)[self.rank :: self.world][: len(self)]
        skipped = self._start[1] * self.batch_size if self._start[0] == epoch else 0
        return iter([(epoch, row) for row in share[skipped:].tolist()])
