"""Follows a study: looks at it again and again while something is running."""

from __future__ import annotations

from collections.abc import Callable


def follow(look: Callable[[], tuple[bool, bool]], seconds: float, sleep: Callable[[float], None]) -> None:
    """Looks until nothing was running in two looks in succession: a worker may be between two stages, or just begin.

    If nothing is left to run, one such look is enough.

    Args:
        look: shows what is new; returns whether a launch or a worker is running, and whether anything is left to run
        seconds: between two looks
    """
    idle = False
    while True:
        alive, left = look()
        if not alive and (idle or not left):
            return
        idle = not alive
        sleep(seconds)
