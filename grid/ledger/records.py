"""Record types of the ledger: markers, failures, checkpoints, and the status derived from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from configs.component import digest
from grid.ledger.store_interface import Store

RESCALE, RESCALED = "rescale.json", "rescaled.json"  # an attempt is asked to end with other devices, and has ended so
UNSEALED = "timing.json"  # the only output that differs between two identical computations, so it is excluded from ``content``


class State(StrEnum):
    """The state of a stage or a cell."""

    DONE = "done"
    RUN = "run"  # missing, or no longer valid
    FAILED = "failed"
    STALE = "stale"  # valid, but the code has changed since
    SKIPPED = "skipped"  # excluded by a skip rule of the grid
    BLOCKED = "blocked"  # a required input is absent
    PENDING = "pending"  # images were never read, so there are no ids yet; a launch reads them


class Cause(StrEnum):
    """Why a state is not ``done``."""

    CODE = "code"  # the sources have changed
    DATA = "data"  # data or weights are absent or were never read
    DEPENDENCY = "dependency"  # an input it was computed from has changed
    DAMAGE = "damage"  # its marker or an output differs from what was written
    FAILURE = "failure"  # a reproducible error


class Fenced(RuntimeError):
    """A newer attempt has taken over; this one must stop."""


@dataclass(frozen=True)
class Marker:
    """A finished stage. ``content`` is equal for equal results, regardless of the attempt that produced them."""

    kind: str
    id: str
    generation: int
    attempt: str  # folder name, such as "000002-5f1c"
    outputs: Mapping[str, Mapping[str, Any]]  # file -> {"sha256", "bytes", "stamp"}
    inputs: Mapping[str, str]  # upstream id -> its marker's content
    source: str  # digest of the code that ran
    facts: Mapping[str, Any]  # small results: counts, choices, seconds
    started: float  # unix seconds
    finished: float  # ``started`` plus a monotonic duration, so never before ``started`` even if the clock changes
    host: str
    environment: Mapping[str, Any] = field(default_factory=dict)  # device and library versions; empty in older markers

    @property
    def content(self) -> str:
        return digest({name: entry["sha256"] for name, entry in self.outputs.items() if name != UNSEALED})


@dataclass(frozen=True)
class Status:
    """Whether a stage's result is valid, and if not, why.

    Attributes:
        marker: the marker, if readable, in any state
        generation: of the marker that is no longer valid, as passed to ``Ledger.void``. None if there is nothing to void
        accepted: why a user accepted the result although the code has changed since, with who and when
    """

    state: State
    cause: Cause | None = None
    reason: str | None = None
    marker: Marker | None = None
    generation: int | None = None
    accepted: str | None = None

    @property
    def valid(self) -> bool:
        """Whether the outputs are intact and were computed from the current inputs."""
        return self.state in (State.DONE, State.STALE)


@dataclass(frozen=True)
class Failure:
    """A reproducible error: recorded once, not retried unless requested."""

    attempt: int
    error: str  # one line
    traceback: str
    deterministic: bool
    time: float


@dataclass(frozen=True)
class Resume:
    """A checkpoint of an earlier attempt to resume from."""

    attempt: str
    store: Store
    key: str  # of the checkpoint
    row: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """The local path of the checkpoint; raises FileNotFoundError if it is gone."""
        return self.store.materialize(self.key)


def numbers(names: Iterable[str], prefix: str) -> list[int]:
    """The numbers of the objects ``<prefix><number>.json``, in order."""
    found = (re.fullmatch(rf"{prefix}(\d+)\.json", name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def attempt_folders(names: Iterable[str]) -> list[str]:
    """The folders of attempts, in order."""
    return sorted(name for name in names if re.match(r"\d{6}-", name))
