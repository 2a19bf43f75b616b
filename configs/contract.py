"""Errors for components that return something their interface does not allow: one line that names the component."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGES = "docs/extending"  # the folder of the pages that describe the interfaces
LISTED = 8  # keys of a mapping in a message


class ContractError(ValueError):
    """A component breaks the interface of its kind. One line: the component, what was found, what is expected, where to read.

    Attributes:
        named: whether the message begins with the component
    """

    def __init__(self, message: str, named: bool = False) -> None:
        super().__init__(message)
        self.named = named


def see(page: str) -> str:
    """The end of a message: "see docs/extending/loss.md" for the page "loss"."""
    return f"see {PAGES}/{page}.md"


def broken(what: str, found: Any, expected: str, page: str) -> ContractError:
    """The error for a value that breaks an interface.

    Args:
        what: the value, such as "explain returned"
        found: the value itself
        expected: type and shape
        page: of docs/extending, such as "explainer"
    """
    return ContractError(f"{what} {described(found)}; expected {expected}; {see(page)}")


@contextmanager
def naming(kind: str, name: str) -> Iterator[None]:
    """Adds the component to the message of a ContractError raised inside: ``naming("loss", "mylab.sphere")``."""
    try:
        yield
    except ContractError as error:
        if error.named:
            raise
        raise ContractError(f"{kind} {name!r}: {error}", named=True) from error


def built(config: Any, methods: tuple[str, ...], page: str) -> Any:
    """The object made by ``config.build()``.

    Raises:
        ContractError: it lacks one of ``methods``.
    """
    found = config.build()
    if absent := [method for method in methods if not callable(getattr(found, method, None))]:
        raise broken("build returned", found, f"an object with the method {' and the method '.join(absent)}", page)
    return found


def is_json(value: Any, *, finite: bool) -> bool:
    """Whether the value is one of JSON. ``finite``: NaN and infinity are not, although Python writes them."""
    try:
        json.dumps(value, allow_nan=not finite)
    except (TypeError, ValueError):
        return False
    return True


def check_files(what: str, names: Any, folder: Path, example: str, writer: str, page: str) -> None:
    """Raises ContractError unless ``names`` are those of files in ``folder``; ``writer`` says who writes them, and where."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise broken(f"{what} is", names, f"a tuple of file names, such as ({example!r},)", page)
    for name in names:
        if not (folder / name).is_file():
            raise broken(f"{what} names", name, f"a file that {writer}", page)


def described(value: Any) -> str:
    """A value in a message: type and shape of arrays, keys of mappings, length of other collections."""
    kind = type(value).__name__
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):  # numpy or torch
        return f"{kind} {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
        return f"a {kind} with the keys {', '.join(keys[:LISTED])}{more}" if keys else f"an empty {kind}"
    if isinstance(value, Sized):
        return f"a {kind} of length {len(value)}"
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"
