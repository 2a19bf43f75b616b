"""Copies several runs to MLflow at once. A server answers others meanwhile; SQLite has one writer at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from grid.tracking.uri import database_file

THREADS = 8  # a server of several processes answers most requests 40 ms late (docs/cluster.md), so it waits with few
Item = TypeVar("Item")
Result = TypeVar("Result")


def threads_for(tracking: str) -> int:
    """The number of runs that are copied at once to this MLflow."""
    return 1 if database_file(tracking) is not None else THREADS


def each(call: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """``[call(item) for item in items]`` in several threads.

    Raises:
        what the first call that failed raised, in the order of the items; calls that had begun have ended, the others do not
        begin.
    """
    if threads == 1 or len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(threads, "facegrid-mlflow") as pool:
        futures = [pool.submit(call, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()  # those that have not begun; none is left if all went well
        wait(futures)
        failed = next((future for future in futures if not future.cancelled() and future.exception()), None)
        if failed is not None:
            failed.result()
        return [future.result() for future in futures]
