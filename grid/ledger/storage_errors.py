"""Errors of a disk or a store during a stage: it is not at fault, so it stays unfinished and is not recorded as failed."""

from __future__ import annotations

import errno
import os
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
LEAST_FREE = 1 << 20  # bytes; below this, a failed write counts as a full disk, because torch does not report the cause
LEDGER = Path(__file__).resolve().parent
NAMES = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)  # what a stage asks for, not the store


def out_of_space(error: BaseException, store: Path) -> bool:
    """Whether an error is caused by a full disk or quota; libraries that write files wrap it in their own exceptions."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(os.strerror(number).lower() in str(cause).lower() for number in FULL):
            return True
    try:
        return shutil.disk_usage(store).free < LEAST_FREE
    except OSError:
        return False


def store_failed(error: BaseException) -> bool:
    """Whether an error is caused by a store that cannot be read or written: an OSError from below the ledger."""
    return any(isinstance(cause, OSError) and not isinstance(cause, NAMES) and _in_ledger(cause) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _in_ledger(error: BaseException) -> bool:
    return any(Path(frame.filename).is_relative_to(LEDGER) for frame in traceback.extract_tb(error.__traceback__))
