"""Stale results that a user accepted: who, when and why. Part of the ledger, under the stage.

An acceptance holds for one marker and for the code of the moment. Once the code changes again, the result is stale again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from grid.ledger.records import numbers
from grid.ledger.sealed import seal, unsealed
from grid.ledger.store_interface import Store

PREFIX = "accepted-"


@dataclass(frozen=True)
class Acceptance:
    """One decision.

    Attributes:
        generation: of the marker that it concerns
        source: digest of the code for which the result counts as done
        was: digest of the code that computed it
        who: user and host, such as ``ada@node7``
        time: in unix seconds
        because: the reason, one line
    """

    generation: int
    source: str
    was: str
    who: str
    time: float
    because: str

    @property
    def words(self) -> str:
        """``the change only renames a variable (ada@node7, 2026-11-27)``."""
        return f"{self.because} ({self.who}, {time.strftime('%Y-%m-%d', time.localtime(self.time))})"


def accept(store: Store, kind: str, id: str, decision: Acceptance) -> None:
    """Records a decision; earlier ones stay."""
    while True:
        number = max([-1, *numbers(store.names(f"{kind}/{id}"), PREFIX)]) + 1
        if store.create(f"{kind}/{id}/{PREFIX}{number:06d}.json", seal(asdict(decision))):
            return


def acceptances(store: Store, kind: str, id: str, names: Iterable[str], generation: int) -> list[Acceptance]:
    """The decisions on a marker, oldest first; unreadable ones do not count.

    Args:
        names: directly under the stage in the store
    """
    found = []
    for number in numbers(names, PREFIX):
        name = f"{kind}/{id}/{PREFIX}{number:06d}.json"
        record = unsealed(store.get(name), name)
        with contextlib.suppress(KeyError):  # it was written by another version
            found.append(Acceptance(**{field.name: record[field.name] for field in fields(Acceptance)}))
    return [one for one in found if one.generation == generation]


def accepted_lines(found: Mapping[str, Iterable[str]]) -> list[str]:
    """``accepted although the code has changed since: train of 2 cells: <why>``; maps reasons to what they concern."""
    return [f"accepted although the code has changed since: {', '.join(what)}: {why}" for why, what in found.items()]
