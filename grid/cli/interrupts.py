"""Signals that end a command: the first one in order, another one at once.

A command that is interrupted stops its workers, closes attempts and releases locks, which may take seconds. Another signal ends
it without that, as a kill would, which costs nothing that was finished.
"""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from types import FrameType

from grid.abort import SHOW_CURSOR

TWICE = 0.2  # seconds; what follows sooner is the same request: timeout(1) signals the process, and then its group
CODE = 130
STOPPING = b"\nfacegrid: stopping the workers; finished stages and checkpoints are kept\n"
AT_ONCE = b"\nfacegrid: stopped at once; finished stages and checkpoints are kept, and the same command goes on from here\n"


class Interrupts:
    """Handlers for one command. Their state is here because Lightning puts earlier handlers back after a training."""

    def __init__(self) -> None:
        self._first: float | None = None  # when the first signal came, in seconds of the monotonic clock

    def install(self) -> None:
        """Handles SIGTERM and, unless it is ignored (nohup), SIGHUP, which a closed terminal sends."""
        signal.signal(signal.SIGTERM, self.handle)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self.handle)

    def install_ctrl_c(self) -> None:
        """Handles Ctrl-C, for a command that runs stages; elsewhere it is a KeyboardInterrupt each time."""
        signal.signal(signal.SIGINT, partial(self.handle, words=STOPPING))  # said before the workers have stopped

    def handle(self, number: int, frame: FrameType | None, words: bytes = b"") -> None:
        """For ``signal.signal``.

        Args:
            words: are written to stderr at the first signal

        Raises:
            KeyboardInterrupt: at the first signal; the process ends here at one that comes later.
        """
        if self._first is None:
            self._first = time.monotonic()
            os.write(2, words)
            raise KeyboardInterrupt
        if time.monotonic() - self._first >= TWICE:
            os.write(2, (SHOW_CURSOR.encode() if os.isatty(2) else b"") + AT_ONCE)
            os._exit(CODE)
