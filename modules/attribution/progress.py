"""How far a method is: methods announce it item by item, and a stage that listens shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[int, int], None]  # called with the number of items that are done, and of all
_LISTENER: ContextVar[Listener | None] = ContextVar("facegrid_method_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls ``listener`` for the methods that run in this block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def announced(items: Sequence[Item]) -> Iterator[Item]:
    """The items, such as the images or pairs that a method explains one by one; announces each one that was processed."""
    listener = _LISTENER.get()
    for number, item in enumerate(items, 1):
        yield item
        if listener is not None:
            listener(number, len(items))
