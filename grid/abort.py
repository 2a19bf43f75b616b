"""Ends a launch from a background thread by raising an exception in the main thread, wherever that is waiting."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNAL = signal.SIGUSR2  # Tune and Lightning handle SIGUSR1 themselves
PATIENCE = 60.0  # seconds for the main thread to stop what it is doing
SHOW_CURSOR = "\x1b[?25h"  # a live table hides it


class LaunchAborted(RuntimeError):
    """This launch cannot continue; finished stages and checkpoints are kept. One line, exit code 1."""


class Aborter:
    """Passes an exception from a background thread to the main thread."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.error: LaunchAborted | None = None
        self._armed = False
        self._left = threading.Event()

    def abort(self, error: LaunchAborted) -> None:
        """Called by a background thread; only the first error counts."""
        if self.error is not None:
            return
        self.error = error
        if self._armed:
            threading.Thread(target=self._insist, daemon=True, name="facegrid-abort").start()
            signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    def _insist(self) -> None:
        """Handles a main thread that hangs in foreign code, such as in Ray without its raylet."""
        if not self._left.wait(self.patience):
            cursor = SHOW_CURSOR if os.isatty(2) else ""
            os.write(2, f"{cursor}\nfacegrid: {self.error}\n".encode(errors="replace"))
            os._exit(1)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While in this block, ``abort`` interrupts the main thread, and its error is raised from the block.

        The interruption is a KeyboardInterrupt, the only exception that Ray and Tune let through. The error is also raised if
        the code in the block swallowed the interruption and ended as if nothing had happened. Blocks may be nested.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if self.error is not None and self._armed:
                self._armed = False  # only once; cleanup afterwards is not interrupted
                raise KeyboardInterrupt
            if callable(before):
                before(number, frame)

        before = signal.signal(SIGNAL, handle)
        self._armed = True
        try:
            if self.error is not None:
                raise self.error
            yield
            if self.error is not None:
                raise self.error
        except KeyboardInterrupt:
            if self.error is None:
                raise
            raise self.error from None
        finally:
            self._armed = False
            self._left.set()
            signal.signal(SIGNAL, before)
