"""Says what a launch on Ray waits for until its first stage begins: 10 to 30 s, and longer where nodes are added."""

from __future__ import annotations

import time
from collections.abc import Callable

from grid.terminal import clock_words

EVERY = 30.0  # seconds between two lines while nothing changes


class FirstStage:
    """Prints a line when work is handed to Ray, when the first process is there, and every ``EVERY`` seconds between.

    Args:
        say: prints a line for the user
        cluster: other machines take part
        now: the clock, in seconds
    """

    def __init__(self, say: Callable[[str], None], cluster: bool, now: Callable[[], float] = time.monotonic) -> None:
        self.say, self.now = say, now
        self.missing = "a node with room and for Ray to unpack facegrid's code there" if cluster else "Ray to start a process"
        self.waits: str | None = self.missing  # None: the first stage has begun
        self.first = self.last = now()
        say(f"waiting for {self.missing}")

    def started(self) -> None:
        """A process is there."""
        if self.waits == self.missing:
            self._wait("it to import torch and begin its stage", "the first process is there; ")

    def began(self) -> None:
        """A stage has begun, or ended."""
        self.waits = None

    def lost(self) -> None:
        """A process was lost before a stage began."""
        if self.waits not in (None, self.missing):
            self._wait(self.missing)

    def look(self) -> None:
        """Called several times a second."""
        if self.waits is not None and self.now() - self.last >= EVERY:
            spent = clock_words(self.now() - self.first)
            more = "; `ray status` shows what is pending" if self.waits == self.missing else ""
            self._wait(self.waits, f"no stage has begun after {spent}: ", more)

    def _wait(self, what: str, before: str = "", after: str = "") -> None:
        self.waits, self.last = what, self.now()
        self.say(f"{before}waiting for {what}{after}")
