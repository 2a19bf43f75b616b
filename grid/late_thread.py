"""A thread that starts only after some time. What ends before costs no thread: a short stage has three such tasks."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable


class LateThread:
    """Runs ``target`` in a daemon thread that starts ``seconds`` after ``start``, unless it was cancelled before.

    One thread of the process, shared by all, starts the others, and does nothing else: no target delays another one.
    """

    def __init__(self, seconds: float, target: Callable[[], None], name: str) -> None:
        self.seconds, self.name = seconds, name
        self._target: Callable[[], None] | None = target
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()

    def start(self) -> None:
        """Begins to count the seconds."""
        _starter.add(self)

    def cancel(self) -> None:
        """The thread does not start any more; one that runs already goes on."""
        with self._mutex:
            self._target = None

    def join(self) -> None:
        """Cancels it, or waits until ``target`` has returned."""
        self.cancel()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Starts the thread now."""
        with self._mutex:
            if self._target is not None:
                self._thread = threading.Thread(target=self._target, daemon=True, name=self.name)
                self._thread.start()


class _Starter:
    """The late threads that wait for their start, by the time at which they are due."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, LateThread]] = []
        self._number = itertools.count()
        self._running = False

    def add(self, late: LateThread) -> None:
        with self._changed:
            entry = (time.monotonic() + late.seconds, next(self._number), late)
            heapq.heappush(self._waiting, entry)
            if not self._running:
                threading.Thread(target=self._keep, daemon=True, name="facegrid-late-threads").start()
                self._running = True
            elif self._waiting[0] is entry:
                self._changed.notify()

    def _keep(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or (left := self._waiting[0][0] - time.monotonic()) > 0:
                    self._changed.wait(left if self._waiting else None)
                late = heapq.heappop(self._waiting)[2]
            late.run()


_starter = _Starter()


def _forget() -> None:
    global _starter
    _starter = _Starter()


os.register_at_fork(after_in_child=_forget)  # a forked process has no threads
