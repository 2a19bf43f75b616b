"""A store on a disk that is slow and fails now and then: ``components.faulty:///folder?every=300&pause=0.3``.

``every``: of so many calls in this process, one raises an OSError; ``pause``: seconds that a write takes.
"""

from __future__ import annotations

import errno
import itertools
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from grid.ledger.store import LocalStore

CALLS, ERRORS = itertools.count(1), itertools.count()
READS, WRITES = ("get", "names", "stat", "open_input"), ("put", "create", "upload", "upload_all", "delete")


class Faulty(LocalStore):
    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        super().__init__(Path(found.path))
        self.url = url
        self.every, self.pause = (float(parse_qs(found.query).get(key, ["0"])[0]) for key in ("every", "pause"))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in READS + WRITES:
            return found

        def call(*words: Any) -> Any:
            if name in WRITES:
                time.sleep(self.pause)
            if self.every and next(CALLS) % self.every == 0:
                raise self.error(name, words)
            return found(*words)

        return call

    @staticmethod
    def error(name: str, words: tuple[Any, ...]) -> OSError:
        """As a network disk and a bucket raise them, in turn."""
        kinds = (
            TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
            OSError(f"{name} {words[-1]!r}: the connection broke"[:200]),
            OSError(errno.EIO, os.strerror(errno.EIO)),
        )
        return kinds[next(ERRORS) % len(kinds)]
