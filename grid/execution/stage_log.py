"""Records what libraries and components log while a stage is computed, as lines of its attempt in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from grid.ledger.attempt import Attempt
from grid.ledger.attempt_log import AttemptLog
from grid.secrets import masked_text

LONGEST = 4000  # characters of a message


class _Handler(logging.Handler):
    def __init__(self, log: AttemptLog, alone: bool) -> None:
        super().__init__(logging.INFO)
        self.log, self.alone = log, alone

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = masked_text(record.getMessage())[:LONGEST]
            self.log.write(record.levelname.lower(), record.name, text)
        except Exception:
            self.handleError(record)
        if self.alone and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)  # where nothing else handles records, warnings still reach stderr


@contextmanager
def logged(attempt: Attempt) -> Iterator[AttemptLog]:
    """Context manager: records of Python's logging become lines of this attempt, beside what already handles them.

    Records below a logger's level do not exist; that is by default everything below a warning.
    """
    root = logging.getLogger()
    with AttemptLog(attempt.ledger.store, attempt.prefix) as log:
        handler = _Handler(log, alone=not root.handlers)
        root.addHandler(handler)
        try:
            yield log
        finally:
            root.removeHandler(handler)
