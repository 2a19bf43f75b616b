"""What Ray tells its driver about the cluster, as one line each: Ray would print them on stdout, with parts of its own logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PRINTER = "print_to_stdstream"  # of ray._private.worker: prints what Ray's processes say; a private name
SAID = (  # a launch says the same itself, with the work that it was; of a raylet that ended, Ray says that its node is dead
    "A worker died or was killed while executing a task",
    "Raylet is terminated",
)
LONGEST = 300  # characters of a line
ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")  # of a node, a worker, an actor, ...


@contextmanager
def one_line_each(say: Callable[[str], None]) -> Iterator[None]:
    """Context manager: messages of Ray's own processes are lines of ``say``, each once.

    Where this version of Ray has no such printer, Ray prints them as it always does.
    """
    import ray

    worker = getattr(ray._private, "worker", None)
    printer = getattr(worker, PRINTER, None)
    if printer is None:
        yield
        return
    said: set[str] = set()

    def print_line(data: Any, *arguments: Any, **settings: Any) -> None:
        if not isinstance(data, dict) or data.get("pid") != "raylet":
            printer(data, *arguments, **settings)
            return
        for message in data.get("lines", []):
            line = line_of(str(message))
            if line and line not in said:
                said.add(line)
                say(line)

    setattr(worker, PRINTER, print_line)
    try:
        yield
    finally:
        setattr(worker, PRINTER, printer)


def line_of(message: str) -> str:
    """The first sentence of a message of Ray, with short ids, or the error in it; empty if the launch says the same itself."""
    head, _, trace = message.partition("Traceback (most recent call last)")
    words = " ".join([*head.split(), *trace.strip().rpartition("\n")[2].split()])
    if not words or words.startswith(SAID):
        return ""
    sentence = re.split(r"(?<=[a-z0-9)}\]][.!?]) (?=[A-Z])", words, maxsplit=1)[0]
    return ("Ray: " + ID.sub(r"\1", sentence))[:LONGEST]
