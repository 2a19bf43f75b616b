"""Loads the next batches in a thread of this process, while the current one is trained on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch.utils.data import DataLoader

AHEAD = 2  # batches that are ready or being made; more would only hold memory
POLL = 0.1  # seconds after which a thread that nobody waits for looks whether it is needed

Item = TypeVar("Item")
_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(items: Iterable[Item], count: int = AHEAD) -> Iterator[Item]:
    """The same items in the same order; while one is used, a thread makes those that follow, ``count`` at most.

    The thread begins at once, not when the first item is asked for. What raises there raises here, in its place. The thread
    ends with the items, or soon after this iterator is closed or forgotten.
    """
    ready: queue.Queue[Any] = queue.Queue(max(1, count - 1))  # one more is in the making
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
                if not put(item):
                    return
            put(_END)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=make, name="facegrid-prefetch", daemon=True)
    thread.start()
    return _Taken(ready, unwanted, thread)


class _Taken(Iterator[Any]):
    """The receiving end."""

    def __init__(self, ready: queue.Queue[Any], unwanted: threading.Event, thread: threading.Thread) -> None:
        self._ready, self._unwanted, self._thread = ready, unwanted, thread
        self._over = False

    def __next__(self) -> Any:
        if self._over:
            raise StopIteration
        item = self._ready.get()
        if item is _END or isinstance(item, _Failure):
            self.close()
            if isinstance(item, _Failure):
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Ends the thread: what it is making at this moment is its last."""
        self._over = True
        self._unwanted.set()

    def __del__(self) -> None:
        self.close()


class PrefetchingLoader(DataLoader[Any]):
    """A DataLoader whose batches, where there are no loading processes, are made by a thread of this one."""

    def __iter__(self) -> Any:
        batches = super().__iter__()
        return batches if self.num_workers else ahead(batches)
