"""Prepares the next batches in a thread of this process during a training step."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch.utils.data import DataLoader

AHEAD = 2  # batches that are ready or in preparation; more would only use memory
POLL = 0.1  # seconds between checks of an idle thread whether it is still needed
READERS = 8  # threads that read images at once, at most

Item = TypeVar("Item")


def readers() -> int:
    """Number of threads that read and cut images: two, or one for each core that this process may use, up to ``READERS``."""
    return min(READERS, max(2, len(os.sched_getaffinity(0))))


def ahead(items: Iterable[Item], count: int = AHEAD) -> Iterator[Item]:
    """The same items in the same order, with up to ``count`` following items prepared in a thread.

    The thread starts immediately, not at the first request. Exceptions in it are raised here, in their place. The thread
    ends with the items, or soon after this iterator is closed or garbage-collected.
    """
    # Each item as a tuple of one, then None or an exception. One more is in preparation.
    ready: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(max(1, count - 1))
    unwanted = threading.Event()

    def put(item: Any) -> bool:
        while not unwanted.is_set():
            try:
                ready.put(item, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=make, name="facegrid-prefetch", daemon=True)
    thread.start()
    return _Taken(ready, unwanted, thread)


class _Taken(Iterator[Any]):
    """The consumer side."""

    def __init__(self, ready: queue.Queue[Any], unwanted: threading.Event, thread: threading.Thread) -> None:
        self._ready, self._unwanted, self._thread = ready, unwanted, thread
        self._over = False

    def __next__(self) -> Any:
        if self._over:
            raise StopIteration
        found = self._ready.get()
        if isinstance(found, tuple):
            return found[0]
        self.close()
        raise StopIteration if found is None else found

    def close(self) -> None:
        """Stops the thread after the item in preparation."""
        self._over = True
        self._unwanted.set()

    def __del__(self) -> None:
        self.close()


class PrefetchingLoader(DataLoader[Any]):
    """A DataLoader that, without worker processes, prepares batches in a thread of this process."""

    def __iter__(self) -> Any:
        batches = super().__iter__()
        return batches if self.num_workers else ahead(batches)
