"""A digest of everything that a report is made of, so that a launch with nothing to run need not make it again.

Files count by their size, times and inode: each write to a file changes its ctime, which cannot be set. What
is left out would make a report stale, so where something cannot be known, there is no digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from configs.component import canonical, file_digest
from grid.ledger.store import LocalStore
from grid.ledger.study import Study

ROOT = Path(__file__).resolve().parents[2]
OWN = ("facegrid.py", "cluster", "configs", "datamodules", "grid", "modules")
MOST_FILES = 50_000  # beyond these, looking at all takes as long as a report
FILES = 4  # of a stage, at least: identity, claim, marker and an output
# what the states of a plan were when it was made; readers of a study ask its ledger
STATES = {"cells": ("state", "reason"), "stages": ("state", "reason", "accepted")}
INSTALLED = frozenset(["site-packages", "dist-packages"])
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


class Unknown(Exception):
    """It is unknown what a report is made of."""


def made_of(study: Study) -> str | None:
    """SHA-256 (hex) of the study's record and ledger, the data, the code, the libraries and the fonts.

    Returns:
        None if that is unknown: the store is no folder, a component is a user's own, whose code may read anything, or there
        are more than ``MOST_FILES`` files
    """
    store = study.ledger.store
    if FILES * len(study.record["stages"]) > MOST_FILES:
        return None
    record = record_without_states(study.record)
    if not isinstance(store, LocalStore) or any(_own_component(cell) for cell in (*record["cells"], *record["hidden"])):
        return None
    places = [store.root / "store.json", *(store.root / stage["stage"] / stage["id"] for stage in record["stages"])]
    data = sorted(_paths(record) - {str(study.path), str(store.root)})
    return digest_of([*places, *map(Path, data), *_drawing()], [canonical(record), str(study.faces), *_code(), *_libraries()])


def digest_of(paths: Iterable[Path], texts: Iterable[str] = ()) -> str | None:
    """SHA-256 (hex) that changes when one of these texts does, or a file under these paths is written, added or removed.

    Returns:
        None if that is unknown
    """
    try:
        return hashlib.sha256("\0".join([*texts, *_stats(paths)]).encode("utf-8", "surrogatepass")).hexdigest()
    except (Unknown, OSError):
        return None


def record_without_states(record: Mapping[str, Any]) -> dict[str, Any]:
    """A study's record without the states that it had when it was planned."""
    return {**record, **{key: [_without(one, names) for one in record[key]] for key, names in STATES.items()}}


def _without(planned: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    """A cell or stage without these keys; a cell without an id has no stages, so its state is that of the plan."""
    return planned if planned["id"] is None else {key: value for key, value in planned.items() if key not in names}


def _nodes(value: Any) -> Iterator[Any]:
    """A JSON value and all values in it."""
    yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _nodes(one)


def _own_component(cell: Mapping[str, Any]) -> bool:
    """Whether a config names a module of the user's: a dotted name, which no component of facegrid has."""
    names = (node.get("name") for node in _nodes(cell) if isinstance(node, Mapping))
    return any(isinstance(name, str) and "." in name for name in names)


def _paths(record: Mapping[str, Any]) -> set[str]:
    """The absolute paths in a record: configs make every path absolute."""
    texts = (node for node in _nodes(record) if isinstance(node, str))
    return {text for text in texts if text.startswith("/") and "\0" not in text}


def _stats(paths: Iterable[Path]) -> Iterator[str]:
    """One text for each file under these paths, and for each folder.

    Raises:
        Unknown: there are more than ``MOST_FILES``.
    """
    waiting, number = [str(path) for path in paths], 0
    while waiting:
        path, number = waiting.pop(), number + 1
        if number > MOST_FILES:
            raise Unknown(path)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield f"{path} missing"
            continue
        if stat.S_ISDIR(found.st_mode):
            yield f"{path} folder"
            waiting += sorted((os.path.join(path, name) for name in os.listdir(path)), reverse=True)
        else:
            yield f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_dev} {found.st_ino}"


def _code() -> Iterator[str]:
    """The digest of each of facegrid's own files."""
    for name in OWN:
        place = ROOT / name
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file() and file.parent.name != "__pycache__":
                yield f"{file} {file_digest(file)}"


def _libraries() -> Iterator[str]:
    """The installed distributions with their versions, which are in the names of their folders, and Python's.

    Not those within another distribution, which has its own version: Ray puts such a folder on the path once it has started.
    """
    yield sys.version
    for place in map(Path, sys.path):
        if place.is_dir() and INSTALLED.isdisjoint(place.parent.parts):
            yield from sorted(f"{place / one}" for one in os.listdir(place) if one.endswith((".dist-info", ".egg-info")))


def _drawing() -> list[Path]:
    """The files that matplotlib may take settings from, and the folders of fonts."""
    folders = [
        os.environ.get("MPLCONFIGDIR"),
        os.environ.get("MATPLOTLIBRC"),
        "~/.config/matplotlib",
        "~/.matplotlib",
        os.curdir,
    ]
    if config := os.environ.get("XDG_CONFIG_HOME"):
        folders.append(f"{config}/matplotlib")
    settings = [Path(os.path.abspath(os.path.expanduser(one))) for one in folders if one]
    return [*(one if one.is_file() else one / "matplotlibrc" for one in settings), *(Path(one).expanduser() for one in FONTS)]
