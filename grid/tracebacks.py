"""Tracebacks for component authors: only frames of the user's code and of this project, none of libraries."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from functools import cache
from pathlib import Path
from types import TracebackType

from configs.lookup import import_hint

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("grid", "modules", "datamodules", "configs", "cluster")


def error_line(error: BaseException) -> str:
    """An exception on one line, with the innermost line of the user's or the project's code: ``... (my_loss.py:12)``.

    A ValueError raised by the project itself is a message to the user and has no code location.
    """
    text = " ".join(str(error).split()) + import_hint(error)
    plain = isinstance(error, ValueError) and text
    line = text if plain else f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or (plain and _packaged(frames[-1].filename)):
        return line
    place = next((f"{_short(frame.filename)}:{frame.lineno}" for frame in reversed(frames) if _own(frame.filename)), None)
    return f"{line} ({place})" if place else line


def own_traceback(error: BaseException) -> str:
    """The traceback with its chain of causes, without library frames."""
    found = traceback.TracebackException.from_exception(error)
    one: traceback.TracebackException | None = found
    while one is not None:
        own = [frame for frame in one.stack if _own(frame.filename)]
        one.stack = traceback.StackSummary.from_list(own or list(one.stack))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    hint = import_hint(error).removeprefix("; ")
    return "".join(found.format()) + (f"{hint}\n" if hint else "")


def show_own(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Replacement for ``sys.excepthook``."""
    if not isinstance(error, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write(own_traceback(error))


def _packaged(filename: str) -> bool:
    path = Path(filename)
    return any(path.is_relative_to(ROOT / package) for package in PACKAGES)


@cache
def _libraries() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {Path(path) for name in names if (path := sysconfig.get_path(name))}
    return tuple(found | {path.resolve() for path in found})


def _own(filename: str) -> bool:
    """Whether a file is neither in the standard library nor in an installed package."""
    if filename.startswith("<"):
        return False
    path = Path(filename)
    foreign = "site-packages" in path.parts or any(path.is_relative_to(library) for library in _libraries())
    return _packaged(filename) or not foreign


def _short(filename: str) -> str:
    """The path relative to the most specific entry of ``sys.path`` that contains it."""
    path = Path(filename).absolute()
    holders = [holder for entry in sys.path if path.is_relative_to(holder := Path(entry or ".").absolute())]
    return str(path.relative_to(max(holders, key=lambda holder: len(holder.parts)))) if holders else path.name
