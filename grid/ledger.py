"""The ledger: what has been computed, and where it lies. It is the truth; Ray and MLflow only follow it.

Under ``<kind>/<id>/`` of a store, every object is written once:

* ``claims/000002.json``: an attempt took its number (create-if-absent) and a token.
* ``000002-<token>/``: what that attempt wrote: outputs, ``events/``, ``checkpoints/``.
* ``failed-000002.json``: that attempt met an error that would come again; ``retry-000002.json`` forgives it.
* ``done-000.json``: the marker, created last and only once; names the attempt, the digests of outputs and of inputs.
* ``void-000.json``: that marker no longer counts, and why; the next one is ``done-001.json``.

An attempt that finds a younger claim is fenced: it may write in its own folder but never a marker.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import socket
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from configs.component import canonical, digest
from grid.store import LocalStore, Store, walk

UNSEALED = "timing.json"  # the one output that differs between two equal computations, and so is outside ``content``


class Fenced(RuntimeError):
    """A younger attempt has taken over; this one must stop."""


class Damaged(RuntimeError):
    """A finished stage's file is not what its marker says."""


@dataclass(frozen=True)
class Marker:
    """A finished stage. ``content`` is equal for equal results, whatever attempt made them."""

    kind: str
    id: str
    generation: int
    attempt: str  # folder name, such as "000002-5f1c"
    outputs: Mapping[str, Mapping[str, Any]]  # file -> {"sha256", "bytes"}
    inputs: Mapping[str, str]  # upstream id -> its marker's content
    source: str  # digest of the code that ran
    facts: Mapping[str, Any]  # small results: counts, choices, seconds
    started: float  # unix seconds
    finished: float
    host: str

    @property
    def content(self) -> str:
        return digest({name: entry["sha256"] for name, entry in self.outputs.items() if name != UNSEALED})


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

    def marker(self, kind: str, id: str) -> Marker | None:
        """The marker that counts, or None. A marker that cannot be read counts as damage.

        Raises:
            Damaged: the marker is not JSON of the right form; ``void`` it to recompute.
        """
        names = self.store.names(f"{kind}/{id}")
        done = [name for name in names if name.startswith("done-")]
        if not done or done[-1].replace("done-", "void-") in names:
            return None
        data = self.store.get(f"{kind}/{id}/{done[-1]}")
        try:
            return Marker(**json.loads(data or b""))
        except (ValueError, TypeError) as error:
            raise Damaged(f"{kind}/{id}/{done[-1]} is not a marker: {error}") from error

    def done_ids(self, kind: str) -> list[str]:
        """Ids of ``kind`` that anything is known of; one listing."""
        return self.store.names(kind)

    def attempts(self, kind: str, id: str) -> int:
        """How many attempts were begun."""
        return len(self.store.names(f"{kind}/{id}/claims"))

    def failure(self, kind: str, id: str) -> Failure | None:
        """The failure that stands: of the latest attempt, and not forgiven."""
        names = self.store.names(f"{kind}/{id}")
        failed = [name for name in names if name.startswith("failed-")]
        if not failed or failed[-1].replace("failed-", "retry-") in names:
            return None
        last = self.store.names(f"{kind}/{id}/claims")[-1]
        if failed[-1].removeprefix("failed-") != last:
            return None
        return Failure(**json.loads(self.store.get(f"{kind}/{id}/{failed[-1]}") or b"{}"))

    def path(self, marker: Marker, name: str) -> Path:
        """Where an output can be read; its size and digest are checked.

        Raises:
            Damaged: the file is absent or not what the marker says.
        """
        assert name in marker.outputs, f"{marker.kind} has no output {name}, only {sorted(marker.outputs)}"
        key = f"{marker.kind}/{marker.id}/{marker.attempt}/{name}"
        size, said = self.store.size(key), marker.outputs[name]
        path = self.store.local(key)
        if size is None:
            raise Damaged(f"{path} is gone")
        if size != said["bytes"]:
            raise Damaged(f"{path} has {size} bytes, not the {said['bytes']} that were written")
        if _sha256(path) != said["sha256"]:
            raise Damaged(f"{path} was changed after it was written (its digest differs)")
        return path

    def json(self, marker: Marker, name: str) -> Any:
        """A JSON output, checked as by ``path``."""
        return json.loads(self.path(marker, name).read_bytes())

    def damage(self, marker: Marker, digests: bool = False) -> str | None:
        """What is wrong with the outputs: by size, or with ``digests`` by reading them all."""
        for name, said in marker.outputs.items():
            if digests:
                try:
                    self.path(marker, name)
                except Damaged as error:
                    return str(error)
            elif self.store.size(f"{marker.kind}/{marker.id}/{marker.attempt}/{name}") != said["bytes"]:
                return f"{marker.kind}/{marker.id}/{marker.attempt}/{name} is not of the size that was written"
        return None

    def events(self, kind: str, id: str) -> list[dict[str, Any]]:
        """One row per checkpointed epoch, in order, along the chain of attempts that the newest one went on from."""
        newest = [
            f for f in self._folders(kind, id) if self.store.names(f"{kind}/{id}/{f}/events") or self._origin(kind, id, f)
        ]
        folder: str | None = newest[-1] if newest else None
        rows: dict[int, dict[str, Any]] = {}
        limit = math.inf
        while folder is not None:
            for name in self.store.names(f"{kind}/{id}/{folder}/events"):
                row = self._row(f"{kind}/{id}/{folder}/events/{name}")
                if row.get("whole") and row["epoch"] < limit:
                    rows[row["epoch"]] = row
            origin = self._origin(kind, id, folder)
            folder = origin["attempt"] if origin else None
            limit = min(limit, origin["position"][0]) if origin else limit
        return [rows[epoch] for epoch in sorted(rows)]

    def _row(self, key: str) -> dict[str, Any]:
        """An event; one that cannot be read counts as none."""
        try:
            found = json.loads(self.store.get(key) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _origin(self, kind: str, id: str, folder: str) -> dict[str, Any] | None:
        return self._row(f"{kind}/{id}/{folder}/resumed.json") or None

    def _folders(self, kind: str, id: str) -> list[str]:
        return [name for name in self.store.names(f"{kind}/{id}") if name[:6].isdigit() and name[6:7] == "-"]

    # -- changing

    def void(self, kind: str, id: str, reason: str) -> None:
        """The newest marker no longer counts; the stage is open again."""
        done = [name for name in self.store.names(f"{kind}/{id}") if name.startswith("done-")]
        assert done, f"nothing to void: {kind}/{id}"
        self.store.create(f"{kind}/{id}/{done[-1].replace('done-', 'void-')}", _json({"reason": reason, "time": time.time()}))

    def forgive(self, kind: str, id: str) -> None:
        """The failure that stands is forgotten; the stage may be tried again."""
        failed = self.failure(kind, id)
        if failed:
            self.store.create(f"{kind}/{id}/retry-{failed.attempt:06d}.json", _json({"time": time.time()}))

    def lost(self, kind: str, id: str, identity: Any, error: str) -> None:
        """Records that the processes computing a stage were lost too often; ``forgive`` lets it be tried again."""
        claims = self.store.names(f"{kind}/{id}/claims")
        number = int(claims[-1][:6]) if claims else 0
        if not number or self.store.size(f"{kind}/{id}/failed-{number:06d}.json") is not None:
            number = self.begin(kind, id, identity).number  # nothing was claimed since the last failure was forgiven
        record = Failure(number, error, "", deterministic=False, time=time.time())
        self.store.create(f"{kind}/{id}/failed-{number:06d}.json", _json(asdict(record)))

    def begin(self, kind: str, id: str, identity: Any) -> Attempt:
        """Claims the next attempt number; older attempts are fenced from here on."""
        self.store.create(f"{kind}/{id}/identity.json", _json(identity))
        token = uuid.uuid4().hex[:8]
        while True:
            claims = self.store.names(f"{kind}/{id}/claims")
            number = int(claims[-1][:6]) + 1 if claims else 1
            claim = {"token": token, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
            if self.store.create(f"{kind}/{id}/claims/{number:06d}.json", _json(claim)):
                return Attempt(self, kind, id, number, token)

    def checkpoint(self, kind: str, id: str) -> Resume | None:
        """The furthest checkpoint that any attempt left whole."""
        best: Resume | None = None
        for folder in self._folders(kind, id):
            for name in self.store.names(f"{kind}/{id}/{folder}/events"):
                row = self._row(f"{kind}/{id}/{folder}/events/{name}")
                path = self.store.local(f"{kind}/{id}/{folder}/{row.get('checkpoint')}")
                if not row.get("checkpoint") or not path.is_file() or _sha256(path) != row["sha256"]:
                    continue
                if best is None or row["position"] > best.row["position"]:
                    best = Resume(folder, name, path, row)
        return best


@dataclass
class Attempt:
    """One try at one stage, writing under its own prefix."""

    ledger: Ledger
    kind: str
    id: str
    number: int
    token: str
    started: float = field(default_factory=time.time)

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
        last = self.ledger.store.names(f"{self.kind}/{self.id}/claims")[-1]
        if last != f"{self.number:06d}.json":
            raise Fenced(f"{self.kind} {self.id[:12]}: attempt {self.number} was overtaken by attempt {int(last[:6])}")

    def resumed(self, origin: Resume) -> None:
        """Notes which checkpoint this attempt goes on from."""
        self.ledger.store.create(f"{self.prefix}/resumed.json", _json({**origin.row, "attempt": origin.attempt}))

    def event(self, row: Mapping[str, Any], checkpoint: str | None) -> None:
        """One immutable object per checkpointed point; ``row`` has ``epoch``, ``position`` ([epoch, batch] to go on
        from) and ``whole`` (True at the end of an epoch)."""
        self.check()
        row = {**row, "time": row.get("time", time.time())}
        if checkpoint is not None:
            self.ledger.store.commit(f"{self.prefix}/{checkpoint}")
            row |= {"checkpoint": checkpoint, "sha256": _sha256(self.path / checkpoint)}
        position = "-".join(f"{part:09d}" for part in row["position"])
        self.ledger.store.create(f"{self.prefix}/events/{position}.json", _json(row))

    def finish(self, facts: Mapping[str, Any], inputs: Mapping[str, str], source: str, keep: Iterable[str]) -> Marker:
        """Hashes the outputs ``keep`` and creates the marker; a second marker of equal generation loses to the first."""
        outputs = {}
        for name in sorted(set(keep)):
            self.ledger.store.commit(f"{self.prefix}/{name}")
            outputs[name] = {"sha256": _sha256(self.path / name), "bytes": (self.path / name).stat().st_size}
        self.check()
        names = self.ledger.store.names(f"{self.kind}/{self.id}")
        generation = sum(name.startswith("void-") for name in names)
        marker = Marker(
            kind=self.kind, id=self.id, generation=generation, attempt=self.folder, outputs=outputs, inputs=dict(inputs),
            source=source, facts=dict(facts), started=self.started, finished=time.time(), host=socket.gethostname(),
        )  # fmt: skip
        if not self.ledger.store.create(f"{self.kind}/{self.id}/done-{generation:03d}.json", _json(asdict(marker))):
            won = self.ledger.marker(self.kind, self.id)
            assert won is not None
            return won
        return marker

    def fail(self, error: str, traceback: str, deterministic: bool) -> None:
        """Records why this attempt failed."""
        record = Failure(self.number, error, traceback, deterministic, time.time())
        self.ledger.store.create(f"{self.kind}/{self.id}/failed-{self.number:06d}.json", _json(asdict(record)))

    def files(self) -> list[str]:
        """What this attempt has written so far, checkpoints and events aside."""
        skipped = ("events/", "checkpoints/", "resumed.json")
        return [name for name in walk(self.ledger.store, self.prefix) if not name.startswith(skipped)]


def _json(value: Any) -> bytes:
    return (canonical(value) + "\n").encode("ascii")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
