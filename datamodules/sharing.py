"""Divides each batch between the devices of a training, so that together they see what a single one would."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from torch.utils.data import Sampler


class Share(Sampler[tuple[int, ...]]):
    """One rank's part of every batch of ``whole``: images rank, rank + world, ... of the batch.

    All ranks have the same number of batches, and the sizes of their parts differ by one at most.

    Args:
        whole: a sampler of ``datamodules.samplers``
        batch_size: images per step on all ranks together
        rank: from 0 to world - 1
        world: number of ranks

    Attributes:
        batch_size: images per step on this rank

    Raises:
        ValueError: a batch has fewer images than there are ranks.
    """

    def __init__(self, whole: Any, batch_size: int, rank: int, world: int) -> None:
        assert 0 <= rank < world, (rank, world)
        self.whole = whole
        self.rank, self.world = rank, world
        self._together = batch_size
        self.batch_size = part_of(batch_size, rank, world)
        self.drop_last = bool(whole.drop_last)
        self._batches, self._rest = divmod(len(whole), batch_size)
        least = batch_size if self.drop_last or not self._rest else self._rest
        if least < world:
            raise ValueError(f"a batch of {least} training images cannot be shared by {world} devices; lower compute.devices")
        self._begun: deque[list[int]] = deque()  # rows of the whole batches that were not asked for yet

    def set_epoch(self, epoch: int) -> None:
        """Sets the next epoch; called by Lightning."""
        self.whole.set_epoch(epoch)

    def __len__(self) -> int:
        """Images per complete epoch on this rank; a resumed epoch yields fewer."""
        rest = 0 if self.drop_last else part_of(self._rest, self.rank, self.world)
        return self._batches * self.batch_size + rest

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        begun = self._begun = deque()  # an iterator that was given up keeps its own
        items = iter(self.whole)
        while batch := list(islice(items, self._together)):
            if len(batch) == self._together or not self.drop_last:
                begun.append([item[1] for item in batch])
                yield from batch[self.rank :: self.world]

    def together(self, part: Sequence[int]) -> list[int]:
        """The rows of all ranks in the batch in which this rank has ``part``. Called once for each batch, in their order."""
        while self._begun:
            rows = self._begun.popleft()
            if rows[self.rank :: self.world] == part:
                return rows
        raise AssertionError(f"the iterator has made no such batch: {part}")


def part_of(count: int, rank: int, world: int) -> int:
    """How many of ``count`` images a rank has."""
    return len(range(rank, count, world))
