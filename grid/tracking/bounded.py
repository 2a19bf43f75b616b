"""Calls with a time limit: a server that sends its answer byte by byte evades every socket timeout."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

SECONDS = 60.0  # per call
SLOWEST = 100_000  # minimum upload speed in bytes per second


class Bounded:
    """A client whose methods raise TimeoutError if they take too long.

    The call itself continues in a thread that ends with the process, so it may still have an effect: as after a lost response,
    the state of the server has to be read again.
    """

    def __init__(self, client: Any, seconds: float = SECONDS) -> None:
        self._client, self._seconds = client, seconds
        self.tracking_uri: str = client.tracking_uri

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            return within(self._seconds, lambda: method(*arguments, **named))

        return call


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """Returns or raises what ``call`` does.

    Raises:
        TimeoutError: it took longer.
    """
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=run, daemon=True, name="facegrid-mlflow-call").start()
    try:
        value, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no complete answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
    return value
