"""The ledger: what has been computed, and where it lies. It is the truth; Ray and MLflow only follow it.

Under ``<kind>/<id>/`` of a store, every object is written once and carries its own digest:

* ``claims/000002.json``: an attempt took its number (create-if-absent) and a token.
* ``000002-<token>/``: what that attempt wrote: outputs, ``events/``, ``checkpoints/``.
* ``failed-000002.json``: that attempt met an error that would come again; ``retry-000002.json`` forgives it.
* ``done-000.json``: the marker, created last and only once; names the attempt, the digests of outputs and of inputs.
* ``void-000.json``: that marker no longer counts, and why; the next one is ``done-001.json``.

An attempt that finds a younger claim is fenced: it may write in its own folder but never a marker. An attempt resumes only from
checkpoints that were written by the same code from the same inputs, and never from an attempt that began before a marker of the
stage was voided.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from configs.component import digest
from grid.ledger.store import Damaged, LocalStore, Stat, Store, seal, unseal, walk

__all__ = ["Attempt", "Cause", "Damaged", "Failure", "Fenced", "Ledger", "Marker", "Resume", "State", "Status"]

UNSEALED = "timing.json"  # the one output that differs between two equal computations, and so is outside ``content``
SMALL = 1 << 16  # bytes; outputs up to this size are verified by digest in every look, larger ones when their stamp changed


class State(StrEnum):
    """How a stage or a cell stands."""

    DONE = "done"
    RUN = "run"  # missing, or no longer valid
    FAILED = "failed"
    STALE = "stale"  # valid, but the code has changed since
    SKIPPED = "skipped"  # a rule of the grid says why
    BLOCKED = "blocked"  # something is absent
    PENDING = "pending"  # images were never read, so there are no ids yet; a launch reads them


class Cause(StrEnum):
    """Why a state is not ``done``."""

    CODE = "code"  # the sources have changed
    DATA = "data"  # data or weights are absent or were never read
    DEPENDENCY = "dependency"  # what it was computed from has changed
    DAMAGE = "damage"  # its marker or an output is not what was written
    FAILURE = "failure"  # an error that would come again


class Fenced(RuntimeError):
    """A younger attempt has taken over; this one must stop."""


@dataclass(frozen=True)
class Marker:
    """A finished stage. ``content`` is equal for equal results, whatever attempt made them."""

    kind: str
    id: str
    generation: int
    attempt: str  # folder name, such as "000002-5f1c"
    outputs: Mapping[str, Mapping[str, Any]]  # file -> {"sha256", "bytes", "stamp"}
    inputs: Mapping[str, str]  # upstream id -> its marker's content
    source: str  # digest of the code that ran
    facts: Mapping[str, Any]  # small results: counts, choices, seconds
    started: float  # unix seconds
    finished: float  # ``started`` and a monotonic duration: never before it, whatever happened to the clock
    host: str

    @property
    def content(self) -> str:
        return digest({name: entry["sha256"] for name, entry in self.outputs.items() if name != UNSEALED})


@dataclass(frozen=True)
class Status:
    """Whether a stage's result is valid, and if not, why.

    Attributes:
        marker: the marker, where it can be read, whatever the state
        generation: of the marker that no longer counts; what ``Ledger.void`` is told. None where there is nothing to void
    """

    state: State
    cause: Cause | None = None
    reason: str | None = None
    marker: Marker | None = None
    generation: int | None = None

    @property
    def valid(self) -> bool:
        """The outputs are whole and of today's inputs."""
        return self.state in (State.DONE, State.STALE)


@dataclass(frozen=True)
class Failure:
    """An error that would come again: recorded once, not retried until asked."""

    attempt: int
    error: str  # one line
    traceback: str
    deterministic: bool
    time: float


@dataclass(frozen=True)
class Resume:
    """A checkpoint of an earlier attempt to go on from."""

    attempt: str
    name: str  # of the event
    path: Path
    row: Mapping[str, Any]


class Ledger:
    """Reads and begins attempts of stages in one store."""

    def __init__(self, store: Store | Path) -> None:
        self.store: Store = LocalStore(store) if isinstance(store, Path) else store

    # -- reading

    def status(self, kind: str, id: str, needs: Mapping[str, Marker | None] | None = None, source: str | None = None) -> Status:
        """Whether the result of a stage is valid: the one answer that plan, launch, workers and reports give.

        Outputs are checked by size, those up to ``SMALL`` bytes and those whose stamp has changed also by digest.

        Args:
            needs: upstream id -> its marker now; empty: its inputs are not compared
            source: digest of today's code; None: it is not compared
        """
        generation = self._generation(self.store.names(f"{kind}/{id}"))
        if generation is None:
            failure = self.failure(kind, id)
            return Status(State.FAILED, Cause.FAILURE, failure.error) if failure else Status(State.RUN)
        try:
            marker = self.marker(kind, id)
        except Damaged as error:
            return Status(State.RUN, Cause.DAMAGE, str(error), None, generation)
        if marker is None:
            return Status(State.RUN)  # voided meanwhile
        if damage := self.damage(marker):
            return Status(State.RUN, Cause.DAMAGE, damage, marker, generation)
        for need, upstream in (needs or {}).items():
            if upstream is None:  # computing it again may give the same content
                return Status(State.RUN, Cause.DEPENDENCY, "what it was computed from is to be computed again", marker)
            if upstream.content != marker.inputs.get(need):
                return Status(State.RUN, Cause.DEPENDENCY, "what it was computed from has changed", marker, generation)
        if source is not None and marker.source != source:
            reason = "it ran under other sources; --retry stale runs it again"
            return Status(State.STALE, Cause.CODE, reason, marker, generation)
        return Status(State.DONE, None, None, marker, generation)

    def marker(self, kind: str, id: str) -> Marker | None:
        """The marker that counts, or None. A marker that cannot be read counts as damage.

        Raises:
            Damaged: the marker is not what was written; ``void`` it to recompute.
        """
        generation = self._generation(self.store.names(f"{kind}/{id}"))
        if generation is None:
            return None
        name = f"{kind}/{id}/done-{generation:03d}.json"
        try:
            marker = Marker(**unseal(self.store.get(name), name))
        except TypeError as error:
            raise Damaged(f"{name} is not a marker: {error}") from error
        if (marker.kind, marker.id, marker.generation) != (kind, id, generation):
            raise Damaged(f"{name} is the marker of another stage ({marker.kind}/{marker.id}, {marker.generation})")
        return marker

    def markers(self, needs: Mapping[str, str]) -> dict[str, Marker | None]:
        """The markers of stages (id -> kind) as ``status`` takes them; None where there is none or it is damaged."""
        found: dict[str, Marker | None] = {}
        for id, kind in needs.items():
            try:
                found[id] = self.marker(kind, id)
            except Damaged:
                found[id] = None
        return found

    @staticmethod
    def _generation(names: Sequence[str]) -> int | None:
        """The number of the newest marker, where it was not voided."""
        done, void = _numbers(names, "done-"), _numbers(names, "void-")
        return None if not done or done[-1] in void else done[-1]

    def done_ids(self, kind: str) -> list[str]:
        """Ids of ``kind`` that anything is known of; one listing."""
        return self.store.names(kind)

    def attempts(self, kind: str, id: str) -> int:
        """How many attempts were begun."""
        return len(self.store.names(f"{kind}/{id}/claims"))

    def identity(self, kind: str, id: str) -> dict[str, Any]:
        """The JSON value that the id is the digest of; empty where it is absent or damaged."""
        return self._object(f"{kind}/{id}/identity.json")

    def began(self, kind: str, id: str) -> float | None:
        """When the first attempt began, in unix seconds."""
        for name in self.store.names(f"{kind}/{id}/claims"):
            if "time" in (claim := self._object(f"{kind}/{id}/claims/{name}")):
                return float(claim["time"])
        return None

    def claimed(self, kind: str, id: str) -> tuple[float, str] | None:
        """When the newest attempt began, in unix seconds, and its folder."""
        for name in reversed(self.store.names(f"{kind}/{id}/claims")):
            claim = self._object(f"{kind}/{id}/claims/{name}")
            if {"time", "token"} <= claim.keys():
                return float(claim["time"]), f"{name[:6]}-{claim['token']}"
        return None

    def failure(self, kind: str, id: str) -> Failure | None:
        """The failure that stands: of the latest attempt, and not forgiven. One that cannot be read is none: its stage runs
        again."""
        names = self.store.names(f"{kind}/{id}")
        failed = _numbers(names, "failed-")
        if not failed or failed[-1] in _numbers(names, "retry-") or failed[-1] < self._newest(kind, id, names):
            return None
        name = f"{kind}/{id}/failed-{failed[-1]:06d}.json"
        try:
            return Failure(**unseal(self.store.get(name), name))
        except (Damaged, TypeError):
            return None

    def _newest(self, kind: str, id: str, names: Sequence[str]) -> int:
        """The number of the latest attempt, 0 where there is none; a lost claim is known by what its attempt left."""
        claims = _numbers(self.store.names(f"{kind}/{id}/claims"), "")
        left = [int(name[:6]) for name in _folders(names)]
        return max([0, *claims, *left, *_numbers(names, "failed-")])

    def path(self, marker: Marker, name: str) -> Path:
        """Where an output can be read; its size and digest are checked.

        Raises:
            Damaged: the file is absent or not what the marker says.
        """
        assert name in marker.outputs, f"{marker.kind} has no output {name}, only {sorted(marker.outputs)}"
        key = f"{marker.kind}/{marker.id}/{marker.attempt}/{name}"
        path = self.store.local(key)
        if wrong := self._wrong(path, marker.outputs[name], self.store.stat(key)):
            raise Damaged(wrong)
        return path

    @staticmethod
    def _wrong(path: Path, said: Mapping[str, Any], found: Stat | None) -> str | None:
        """What is wrong with an output, all of which is read."""
        if found is None:
            return f"{path} is gone"
        if found.size != said["bytes"]:
            return f"{path} has {found.size} bytes, not the {said['bytes']} that were written"
        return None if _sha256(path) == said["sha256"] else f"{path} was changed after it was written (its digest differs)"

    def json(self, marker: Marker, name: str) -> Any:
        """A JSON output, checked as by ``path``."""
        return json.loads(self.path(marker, name).read_bytes())

    def damage(self, marker: Marker, digests: bool = False) -> str | None:
        """What is wrong with the outputs.

        Args:
            digests: False: outputs of more than ``SMALL`` bytes that were not written since are checked by size alone
        """
        for name, said in marker.outputs.items():
            key = f"{marker.kind}/{marker.id}/{marker.attempt}/{name}"
            found = self.store.stat(key)
            same = found is not None and found.stamp == said.get("stamp", found.stamp) and found.size == said["bytes"]
            if (digests or not same or said["bytes"] <= SMALL) and (wrong := self._wrong(self.store.local(key), said, found)):
                return wrong
        return None

    def events(self, kind: str, id: str) -> list[dict[str, Any]]:
        """One row per checkpointed epoch, in order, along the chain of attempts that the newest one went on from."""
        folders = _folders(self.store.names(f"{kind}/{id}"))
        newest = [f for f in folders if self.store.names(f"{kind}/{id}/{f}/events") or self._origin(kind, id, f)]
        folder: str | None = newest[-1] if newest else None
        seen: set[str] = set()
        rows: dict[int, dict[str, Any]] = {}
        limit = math.inf
        while folder is not None and folder not in seen:
            seen.add(folder)
            for _, row in self._events(f"{kind}/{id}/{folder}"):
                if row.get("whole") and row["epoch"] < limit:
                    rows[row["epoch"]] = row
            origin = self._origin(kind, id, folder)
            folder = origin["attempt"] if origin else None
            limit = min(limit, origin["position"][0]) if origin else limit
        latest = -math.inf
        for epoch in sorted(rows):  # a clock that was set back makes no epoch end before the one before it
            latest = max(latest, rows[epoch]["time"])
            rows[epoch]["time"] = latest
        return [rows[epoch] for epoch in sorted(rows)]

    def _object(self, key: str) -> dict[str, Any]:
        """An object that is no marker; one that cannot be read counts as none."""
        try:
            return unseal(self.store.get(key), key)
        except Damaged:
            return {}

    def _events(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and row of each event of an attempt that can be read."""
        for name in self.store.names(f"{folder}/events"):
            if row := self._object(f"{folder}/events/{name}"):
                yield name, row

    def _origin(self, kind: str, id: str, folder: str) -> dict[str, Any] | None:
        """Where an attempt went on from; each of its events says it too, in case ``resumed.json`` is damaged."""
        if found := self._object(f"{kind}/{id}/{folder}/resumed.json"):
            return found
        return next((row["origin"] for _, row in self._events(f"{kind}/{id}/{folder}") if row.get("origin")), None)

    # -- changing

    def void(self, kind: str, id: str, reason: str, generation: int | None = None) -> None:
        """A marker no longer counts; the stage is open again, and no attempt that has begun is resumed.

        Args:
            generation: of that marker, as ``status`` gave it; one that another launch made since stays. None: the newest
        """
        names = self.store.names(f"{kind}/{id}")
        done = _numbers(names, "done-")
        assert done, f"nothing to void: {kind}/{id}"
        number = done[-1] if generation is None else generation
        record = {"reason": reason, "time": time.time(), "attempts": self._newest(kind, id, names)}
        self.store.create(f"{kind}/{id}/void-{number:03d}.json", seal(record))

    def forgive(self, kind: str, id: str) -> None:
        """The failure that stands is forgotten; the stage may be tried again."""
        failed = self.failure(kind, id)
        if failed:
            self.store.create(f"{kind}/{id}/retry-{failed.attempt:06d}.json", seal({"time": time.time()}))

    def lost(self, kind: str, id: str, identity: Any, error: str) -> None:
        """Records that the processes computing a stage were lost too often; ``forgive`` lets it be tried again."""
        number = self._newest(kind, id, self.store.names(f"{kind}/{id}"))
        if not number or self.store.size(f"{kind}/{id}/failed-{number:06d}.json") is not None:
            number = self.begin(kind, id, identity).number  # nothing was claimed since the last failure was forgiven
        record = Failure(number, error, "", deterministic=False, time=time.time())
        self.store.create(f"{kind}/{id}/failed-{number:06d}.json", seal(asdict(record)))

    def remember(self, kind: str, id: str, identity: Mapping[str, Any]) -> None:
        """Writes the identity where it is absent or damaged."""
        key = f"{kind}/{id}/identity.json"
        if not self.store.create(key, seal(identity)) and not self._object(key) and identity:
            self.store.put(key, seal(identity))

    def begin(
        self, kind: str, id: str, identity: Mapping[str, Any], source: str = "", inputs: Mapping[str, str] | None = None
    ) -> Attempt:
        """Claims the next attempt number; older attempts are fenced from here on.

        Args:
            source: digest of the code that runs; goes into every event
            inputs: upstream id -> content of its marker; goes into every event
        """
        for prefix in (f"{kind}/{id}", f"{kind}/{id}/claims"):
            self.store.sweep(prefix)
        self.remember(kind, id, identity)
        token = uuid.uuid4().hex[:8]
        while True:
            number = self._newest(kind, id, self.store.names(f"{kind}/{id}")) + 1
            claim = {"token": token, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
            if self.store.create(f"{kind}/{id}/claims/{number:06d}.json", seal(claim)):
                return Attempt(self, kind, id, number, token, source, dict(inputs or {}))

    def checkpoint(
        self, kind: str, id: str, source: str | None = None, inputs: Mapping[str, str] | None = None
    ) -> Resume | None:
        """The furthest checkpoint that is whole, with the best one that it names.

        Args:
            source, inputs: of the attempt that wants to go on from it; None: whatever they were
        """
        for found in self.saved(kind, id, source, inputs):
            best = found.row.get("best_checkpoint")
            if self._whole(found.path, found.row.get("sha256")) and (
                best is None or self._whole(self.store.local(best), found.row.get("best_sha256"))
            ):
                return found
        return None

    def saved(self, kind: str, id: str, source: str | None = None, inputs: Mapping[str, str] | None = None) -> list[Resume]:
        """The checkpoints that attempts left, furthest first, and the newest of equals; as ``checkpoint``, but no file is read.

        Attempts that began before a marker was voided are left out.
        """
        found = []
        names = self.store.names(f"{kind}/{id}")
        void = self._void_attempts(kind, id, names)
        for folder in reversed(_folders(names)):
            if int(folder[:6]) <= void:
                break
            for name, row in self._events(f"{kind}/{id}/{folder}"):
                alike = source in (None, row.get("source")) and (inputs is None or row.get("inputs") == dict(inputs))
                if row.get("checkpoint") and alike:
                    path = self.store.local(f"{kind}/{id}/{folder}/{row['checkpoint']}")
                    found.append(Resume(folder, name, path, row))
        return sorted(found, key=lambda one: one.row["position"], reverse=True)

    def _void_attempts(self, kind: str, id: str, names: Sequence[str]) -> int:
        """The number of the latest attempt that had begun when a marker was voided; 0: none was."""
        found = [0]
        for number in _numbers(names, "void-"):
            record = self._object(f"{kind}/{id}/void-{number:03d}.json")
            found.append(record["attempts"] if "attempts" in record else self._newest(kind, id, names) - 1)
        return max(found)

    @staticmethod
    def _whole(path: Path, sha256: str | None) -> bool:
        return path.is_file() and _sha256(path) == sha256


@dataclass
class Attempt:
    """One try at one stage, writing under its own prefix."""

    ledger: Ledger
    kind: str
    id: str
    number: int
    token: str
    source: str = ""  # digest of the code that runs
    inputs: Mapping[str, str] = field(default_factory=dict)  # upstream id -> content
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)  # when it started, on a clock that nobody sets
    origin: Mapping[str, Any] | None = None  # what it went on from: ``attempt`` and ``position``

    @property
    def now(self) -> float:
        """Unix seconds, by the clock as it was when the attempt started."""
        return self.started + time.monotonic() - self.clock

    @property
    def folder(self) -> str:
        return f"{self.number:06d}-{self.token}"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.id}/{self.folder}"

    @property
    def path(self) -> Path:
        """The local folder to write outputs into; made when asked for."""
        path = self.ledger.store.local(self.prefix)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def check(self) -> None:
        """Raises Fenced when a younger attempt has claimed this stage."""
        last = max([0, *_numbers(self.ledger.store.names(f"{self.kind}/{self.id}/claims"), "")])
        if last > self.number:
            raise Fenced(f"{self.kind} {self.id[:12]}: attempt {self.number} was overtaken by attempt {last}")

    def resumable(self) -> Resume | None:
        """The checkpoint that this attempt may go on from: written by the same code, from the same inputs."""
        return self.ledger.checkpoint(self.kind, self.id, self.source, self.inputs)

    def resumed(self, origin: Resume) -> None:
        """Notes which checkpoint this attempt goes on from."""
        self.origin = {"attempt": origin.attempt, "position": origin.row["position"]}
        self.ledger.store.create(f"{self.prefix}/resumed.json", seal({**origin.row, "attempt": origin.attempt}))

    def event(self, row: Mapping[str, Any], checkpoint: str | None) -> dict[str, Any]:
        """One immutable object per checkpointed point; ``row`` has ``epoch``, ``position`` ([epoch, batch] to go on
        from) and ``whole`` (True at the end of an epoch). Returns the row as it was written."""
        self.check()
        row = {**row, "time": row.get("time", self.now), "source": self.source, "inputs": dict(self.inputs)}
        if self.origin:
            row["origin"] = dict(self.origin)
        if checkpoint is not None:
            self.ledger.store.commit(f"{self.prefix}/{checkpoint}")
            row |= {"checkpoint": checkpoint, "sha256": _sha256(self.path / checkpoint)}
        position = "-".join(f"{part:09d}" for part in row["position"])
        self.ledger.store.create(f"{self.prefix}/events/{position}.json", seal(row))
        return row

    def finish(self, facts: Mapping[str, Any], inputs: Mapping[str, str], source: str, keep: Iterable[str]) -> Marker:
        """Hashes the outputs ``keep`` and creates the marker; a second marker of equal generation loses to the first."""
        outputs = {}
        for name in sorted(set(keep)):
            self.ledger.store.commit(f"{self.prefix}/{name}")
            found = self.ledger.store.stat(f"{self.prefix}/{name}")
            assert found is not None, name
            outputs[name] = {"sha256": _sha256(self.path / name), "bytes": found.size, "stamp": found.stamp}
        self.check()
        names = self.ledger.store.names(f"{self.kind}/{self.id}")
        void = _numbers(names, "void-")
        newest = max([-1, *void, *_numbers(names, "done-")])
        generation = newest + 1 if newest < 0 or newest in void else newest
        marker = Marker(
            kind=self.kind, id=self.id, generation=generation, attempt=self.folder, outputs=outputs, inputs=dict(inputs),
            source=source, facts=dict(facts), started=self.started, finished=self.now, host=socket.gethostname(),
        )  # fmt: skip
        if not self.ledger.store.create(f"{self.kind}/{self.id}/done-{generation:03d}.json", seal(asdict(marker))):
            won = self.ledger.marker(self.kind, self.id)
            assert won is not None
            return won
        return marker

    def fail(self, error: str, traceback: str, deterministic: bool) -> None:
        """Records why this attempt failed."""
        record = Failure(self.number, error, traceback, deterministic, self.now)
        self.ledger.store.create(f"{self.kind}/{self.id}/failed-{self.number:06d}.json", seal(asdict(record)))

    def files(self) -> list[str]:
        """What this attempt has written so far, checkpoints and events aside."""
        skipped = ("events/", "checkpoints/", "resumed.json")
        return [name for name in walk(self.ledger.store, self.prefix) if not name.startswith(skipped)]


def _numbers(names: Iterable[str], prefix: str) -> list[int]:
    """The numbers of objects ``<prefix><number>.json``, in order."""
    found = (re.fullmatch(rf"{prefix}(\d+)\.json", name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def _folders(names: Iterable[str]) -> list[str]:
    """The folders of attempts, in order."""
    return sorted(name for name in names if re.match(r"\d{6}-", name))


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
