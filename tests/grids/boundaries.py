"""Launches whose process is killed (SIGKILL) at one write to a store on a disk, such as the 17th, and the launches after them.

With ``executor: local`` the driver computes the stages, too. A write is a ``put``, ``create``, ``upload`` or ``delete`` by the
main thread, into the ledger, the study's record or a lock. What background threads write (heartbeats, log lines) does not
count, since its number depends on the clock.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import forked
from launching import GRIDS, KINDS, PROGRAM, Store, prepare, sound

EVERY_KIND = GRIDS / "every_kind.yaml"
Moment = Literal["before", "within", "after"]  # within: written beside its place, but not put in place
LAUNCH = "import boundaries; boundaries.arm({number}, {moment!r}, {form!r})\n" + PROGRAM
WRITES = ("put", "create", "_upload", "delete")
TRAININGS = ("pretrain", "trial", "train")
WRITTEN = "writes.txt"  # in the working directory: the writes so far, one a line


def arm(number: int, moment: Moment, form: str = "") -> None:
    """Has this process killed at its ``number``-th write whose key matches the regular expression ``form``; never if 0."""
    from grid.ledger.store import LocalStore

    count, main = itertools.count(1), threading.main_thread()
    due = False
    written_beside = LocalStore._written_beside

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    log = open(WRITTEN, "w")  # noqa: SIM115 - as long as the process lives

    def wrapped(name: str) -> Any:
        method = getattr(LocalStore, name)

        @functools.wraps(method)
        def write(self: LocalStore, *words: Any) -> Any:
            nonlocal due
            key = str(words[1] if name == "_upload" else words[0])
            if threading.current_thread() is not main:
                return method(self, *words)
            now = re.search(form, key) is not None and next(count) == number
            print(f"{name.removeprefix('_')} {key}", file=log, flush=True)
            if now and moment == "before":
                die()
            due = now
            found = method(self, *words)
            if now:
                die()
            return found

        return write

    @contextlib.contextmanager
    def beside(self: LocalStore, key: str, data: bytes) -> Iterator[Path]:
        with written_beside(self, key, data) as path:
            if due and moment == "within" and threading.current_thread() is main:
                die()
            yield path

    for name in WRITES:
        setattr(LocalStore, name, wrapped(name))
    LocalStore._written_beside = beside  # type: ignore[method-assign]


@dataclass(frozen=True)
class Calm:
    """An undisturbed launch: the content of each stage by kind and id, and its writes in their order."""

    contents: dict[tuple[str, str], str]
    writes: list[str]


class Place:
    """A folder with one study of the grid ``EVERY_KIND``.

    Args:
        overrides: of the grid file, in every launch
        change: Python source that every launch executes first
        store: where the ledger is, if the overrides place it
    """

    def __init__(self, folder: Path, overrides: Sequence[str] = (), change: str = "", store: Path | None = None) -> None:
        self.folder, self.overrides, self.change = folder, overrides, change
        folder.mkdir()
        self.study = folder / "studies" / "every_kind"
        self.store = Store(store or self.study / "store")

    def launch(self, number: int = 0, moment: Moment = "before", form: str = "", change: str = "") -> tuple[int, str]:
        """Launches the grid; returns the exit code, -9 if it was killed, and what was printed.

        Args:
            change: more Python source that is executed first
        """
        words = ("launch", str(EVERY_KIND), *self.overrides)
        prepare(self.folder, words)
        program = f"{self.change}\n{change}\n{LAUNCH.format(number=number, moment=moment, form=form)}"
        code, out, err = forked.ended(program, self.folder, words, [str(GRIDS)], {"COLUMNS": "200"})
        return code, out + err

    @property
    def writes(self) -> list[str]:
        """Of the last launch, ``create train/...`` and so on; the last one is that at which it was killed."""
        return (self.folder / WRITTEN).read_text().splitlines()


def calm(folder: Path) -> Calm:
    """An undisturbed launch."""
    place = Place(folder)
    code, said = place.launch()
    assert code == 0, said
    contents = place.store.contents()
    assert {kind for kind, _ in contents} == set(KINDS)
    sound(place.study)
    return Calm(contents, place.writes)


def killed_and_launched_again(
    place: Place, undisturbed: Calm, number: int, moment: Moment, form: str = "", change: str = ""
) -> str | None:
    """A launch that is killed at a write, and a second one, which must make it good.

    Args:
        number, moment, form: see ``arm``
        change: Python source that the second one executes first

    Returns:
        the write at which it was killed; None if it had ended before
    """
    code, said = place.launch(number, moment, form)
    if code == 0:
        return None
    assert code == -signal.SIGKILL, said
    where, store = place.writes[-1], place.store
    done, before = store.contents(), store.attempts()
    assert done.items() <= undisturbed.contents.items(), where
    saved = {key for key in before.keys() - done.keys() if key[0] in TRAININGS and store.ledger.checkpoint(*key)}
    code, said = place.launch(change=change)
    assert code == 0, (where, said)
    assert "Traceback" not in said, (where, said)
    assert store.contents() == undisturbed.contents, where
    after = store.attempts()
    assert after == {key: before.get(key, 0) + (key not in done) for key in undisturbed.contents}, (
        where + ": what was done stays"
    )
    for kind, id in saved:
        names = [name.rpartition("/")[2] for name in store.ledger.store.walk(f"{kind}/{id}")]
        assert "resumed.json" in names, f"{where}: {kind} goes on from its checkpoint"
    sound(place.study)
    return where
