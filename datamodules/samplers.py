"""Training order as a pure function of seed and epoch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


class Resumable(Sampler[tuple[int, ...]]):
    """Common base of the samplers: the next epoch, and resuming within an epoch."""

    batch_size: int

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = 0
        self._start = (0, 0)  # epoch, batch

    def set_epoch(self, epoch: int) -> None:
        """Sets the next epoch; called by Lightning."""
        self.epoch = epoch

    def start_batch(self, epoch: int, batch: int) -> None:
        """In ``epoch``, skips the first ``batch`` batches, which were already trained on. Other epochs are complete."""
        self._start = (epoch, batch)

    def order(self, epoch: int) -> np.ndarray:
        """All rows in the order of ``epoch``: int64."""
        raise NotImplementedError

    def items(self, epoch: int) -> list[tuple[int, ...]]:
        """(epoch, row) for each of ``order``."""
        return [(epoch, row) for row in self.order(epoch).tolist()]

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        epoch = self.epoch
        skipped = self._start[1] * self.batch_size if self._start[0] == epoch else 0
        return iter(self.items(epoch)[skipped:])


class EpochSampler(Resumable):
    """Yields (epoch, row): every row once per epoch, in an order given by (seed, epoch).

    Args:
        rows: rows of the manifest
        batch_size: images per step
        seed: any integer
    """

    def __init__(self, rows: Sequence[int] | np.ndarray, batch_size: int, seed: int) -> None:
        super().__init__(seed)
        self.rows = np.asarray(rows, np.int64)
        self.batch_size = batch_size

    @property
    def drop_last(self) -> bool:
        """Whether a smaller last batch is left out, which it is if there is a full one. BatchNorm cannot train on one image."""
        return len(self) >= self.batch_size

    def order(self, epoch: int) -> np.ndarray:
        """All rows in the order of ``epoch``: int64."""
        # A seed of two words, so that (1, 2) and (2, 1) are unrelated. NumPy's words are not negative.
        random = np.random.default_rng([self.seed % 2**64, epoch])
        return self.rows[random.permutation(len(self.rows))]

    def __len__(self) -> int:
        """Images per complete epoch; a resumed epoch yields fewer."""
        return len(self.rows)


class PKSampler(Resumable):
    """Yields batches of P subjects with K images each (Hermans et al., "In Defense of the Triplet Loss", 2017).

    An item is (epoch, row, number of times that the epoch had the row before), so that repetitions are augmented differently.

    In every epoch a subject's images are shuffled and split into groups of K. An incomplete last group is filled up with the
    subject's first images; a subject with fewer than K images thus has one group with repetitions, and a subject with one image
    has it K times. A batch has groups of P different subjects. An epoch has T batches, the largest number that can be filled:
    subjects with more than T groups omit the rest, and fewer than P of the remaining groups are omitted. The choice is random
    and differs between epochs.

    Args:
        rows: rows of the manifest
        labels: the subject of each of ``rows``, any integers
        subjects: P, subjects per batch
        images: K, images per subject in a batch
        seed: any integer

    Raises:
        ValueError: no subject has two images, or there are too few subjects for P.
    """

    drop_last = True  # all batches are complete

    def __init__(
        self,
        rows: Sequence[int] | np.ndarray,
        labels: Sequence[int] | np.ndarray,
        subjects: int,
        images: int,
        seed: int,
    ) -> None:
        super().__init__(seed)
        assert len(rows) == len(labels), (len(rows), len(labels))
        if subjects < 2 or images < 2:
            raise ValueError(f"a batch of {subjects} subjects with {images} images each has no triplet; both must be 2 or more")
        self.rows = np.asarray(rows, np.int64)
        self.subjects, self.images = subjects, images
        self.batch_size = subjects * images
        _, subject, counts = np.unique(np.asarray(labels, np.int64), return_inverse=True, return_counts=True)
        if len(counts) < subjects:
            raise ValueError(f"batches of {subjects} subjects need as many in training, and there are {len(counts)}")
        if counts.max() < 2:
            raise ValueError(f"no subject has two training images, so no triplet can be made of any of {len(counts)} subjects")
        self._images_of = np.split(np.argsort(subject, kind="stable"), np.cumsum(counts)[:-1])
        self._groups = -(-counts // images)
        self._batches = _most_batches(self._groups, subjects)

    def order(self, epoch: int) -> np.ndarray:
        """All rows in the order of ``epoch``: int64 (T * P * K,)."""
        random = np.random.default_rng([self.seed % 2**64, epoch])
        groups = []
        for one in random.permutation(len(self._images_of)):
            mine = random.permutation(self._images_of[one])
            whole = np.resize(mine, self._groups[one] * self.images).reshape(-1, self.images)
            groups.append(whole[random.permutation(len(whole))[: self._batches]])
        every = np.concatenate(groups)
        kept = np.sort(random.permutation(len(every))[: self._batches * self.subjects])
        # Each subject has at most T consecutive groups; dealt out in turn to T batches, no two fall into the same batch.
        dealt = every[kept].reshape(self.subjects, self._batches, self.images).swapaxes(0, 1)
        return self.rows[dealt[random.permutation(self._batches)]].reshape(-1)

    def items(self, epoch: int) -> list[tuple[int, ...]]:
        order = self.order(epoch)
        return [(epoch, row, time) for row, time in zip(order.tolist(), _times(order).tolist(), strict=True)]

    def __len__(self) -> int:
        """Images per complete epoch; a resumed epoch yields fewer."""
        return self._batches * self.batch_size


def _times(order: np.ndarray) -> np.ndarray:
    """How often each value was there before: [4, 7, 4, 4] gives [0, 0, 1, 2]."""
    places = np.argsort(order, kind="stable")
    _, first, counts = np.unique(order[places], return_index=True, return_counts=True)
    found = np.empty(len(order), np.int64)
    found[places] = np.arange(len(order)) - np.repeat(first, counts)
    return found


def _most_batches(groups: np.ndarray, subjects: int) -> int:
    """The largest T for which T batches of ``subjects`` distinct subjects can be filled: sum min(groups, T) >= T subjects."""

    def too_many(batches: int) -> bool:
        return bool(np.minimum(groups, batches).sum() < batches * subjects)

    return 1 + bisect_left(range(2, int(groups.sum()) // subjects + 1), True, key=too_many)
