"""Ctrl-C and its relatives, which no library on the way may lose."""

from __future__ import annotations

import signal
from typing import Any


class Interrupts:
    """Remembers that somebody asked to stop, for an interrupt that is raised inside a callback of Ray's is lost there."""

    def __init__(self) -> None:
        self.asked = False
        self.before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def listen(self) -> None:
        """To be called after ``ray.init``, which puts a handler of its own for SIGTERM that ends the process at once."""
        for number, handler in self.before.items():
            if handler is not None:  # not one that C code has set
                signal.signal(number, self._note if callable(handler) else handler)

    def _note(self, number: int, frame: Any) -> None:
        self.asked = True
        handler = self.before[signal.Signals(number)]
        assert callable(handler)
        handler(number, frame)

    def again(self) -> None:
        """Raises KeyboardInterrupt where somebody asked and work still goes on."""
        if self.asked:
            raise KeyboardInterrupt

    def leave(self) -> None:
        """Puts back what was there."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
