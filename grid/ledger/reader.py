"""Reads a ledger: whether results are valid, where they are, and which checkpoints can be resumed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grid.ledger.acceptance import acceptances
from grid.ledger.records import RESCALED, Cause, Failure, Marker, Resume, State, Status, attempt_folders, numbers
from grid.ledger.sealed import Damaged, unseal, unsealed
from grid.ledger.store import open_store
from grid.ledger.store_interface import Stat, Store

SMALL = 1 << 16  # bytes; outputs up to this size are always checked by digest, larger ones only if their stamp changed


class LedgerReader:
    """Read access to the ledger in a store, given as a path, a URL or the store itself."""

    def __init__(self, store: Store | Path | str) -> None:
        self.store = open_store(store)

    def status(self, kind: str, id: str, needs: Mapping[str, Marker | None] | None = None, source: str | None = None) -> Status:
        """Whether the result of a stage is valid: the single check used by plan, launch, workers and reports.

        All outputs are checked by size; those up to ``SMALL`` bytes and those with a changed stamp also by digest.

        Args:
            needs: upstream id -> its current marker; if empty, inputs are not compared
            source: digest of the current code; None: it is not compared
        """
        names = self.store.names(f"{kind}/{id}")
        generation = self._generation(names)
        if generation is None:
            failure = self.failure(kind, id)
            return Status(State.FAILED, Cause.FAILURE, failure.error) if failure else Status(State.RUN)
        try:
            marker = self.marker(kind, id)
        except Damaged as error:
            return Status(State.RUN, Cause.DAMAGE, str(error), None, generation)
        if marker is None:
            return Status(State.RUN)  # voided in the meantime
        if damage := self.damage(marker):
            return Status(State.RUN, Cause.DAMAGE, damage, marker, generation)
        for need, upstream in (needs or {}).items():
            if upstream is None:  # recomputing it may give the same content
                return Status(State.RUN, Cause.DEPENDENCY, "what it was computed from is to be computed again", marker)
            if upstream.content != marker.inputs.get(need):
                return Status(State.RUN, Cause.DEPENDENCY, "what it was computed from has changed", marker, generation)
        decisions = [one for one in acceptances(self.store, kind, id, names, generation) if source in (None, one.source)]
        accepted = decisions[-1].words if decisions else None
        if source not in (None, marker.source) and accepted is None:
            reason = "its code has changed since; --retry stale runs it again"
            return Status(State.STALE, Cause.CODE, reason, marker, generation)
        return Status(State.DONE, None, None, marker, generation, accepted if source != marker.source else None)

    def marker(self, kind: str, id: str) -> Marker | None:
        """The valid marker, or None. An unreadable marker counts as damaged.

        Raises:
            Damaged: the marker differs from what was written; ``void`` it to recompute.
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
        """The markers of stages (id -> kind) in the form that ``status`` takes; None for absent or damaged ones."""
        found: dict[str, Marker | None] = {}
        for id, kind in needs.items():
            try:
                found[id] = self.marker(kind, id)
            except Damaged:
                found[id] = None
        return found

    @staticmethod
    def _generation(names: Sequence[str]) -> int | None:
        """The number of the newest marker, unless it was voided."""
        done, void = numbers(names, "done-"), numbers(names, "void-")
        return None if not done or done[-1] in void else done[-1]

    def done_ids(self, kind: str) -> list[str]:
        """Ids of ``kind`` with any record in the ledger; one listing."""
        return self.store.names(kind)

    def attempts(self, kind: str, id: str) -> int:
        """The number of attempts begun."""
        return len(self.store.names(f"{kind}/{id}/claims"))

    def identity(self, kind: str, id: str) -> dict[str, Any]:
        """The JSON value whose digest is the id; empty if absent or damaged."""
        return self._object(f"{kind}/{id}/identity.json")

    def began(self, kind: str, id: str) -> float | None:
        """When the first attempt began, in unix seconds."""
        for name in self.store.names(f"{kind}/{id}/claims"):
            if "time" in (claim := self._object(f"{kind}/{id}/claims/{name}")):
                return float(claim["time"])
        return None

    def claims(self, kind: str, id: str) -> list[dict[str, Any]]:
        """The readable claims, oldest first: ``number``, ``folder``, ``host``, ``pid``, ``time`` and, if known, ``device``."""
        found = []
        for name in self.store.names(f"{kind}/{id}/claims"):
            claim = self._object(f"{kind}/{id}/claims/{name}")
            if {"time", "token"} <= claim.keys():
                found.append({**claim, "number": int(name[:6]), "folder": f"{name[:6]}-{claim['token']}"})
        return found

    def failure(self, kind: str, id: str) -> Failure | None:
        """The failure of the latest attempt, unless forgiven. An unreadable failure counts as none: the stage runs again."""
        names = self.store.names(f"{kind}/{id}")
        failed = numbers(names, "failed-")
        if not failed or failed[-1] in numbers(names, "retry-") or failed[-1] < self.newest(kind, id, names):
            return None
        name = f"{kind}/{id}/failed-{failed[-1]:06d}.json"
        try:
            return Failure(**unseal(self.store.get(name), name))
        except (Damaged, TypeError):
            return None

    def newest(self, kind: str, id: str, names: Sequence[str]) -> int:
        """The number of the latest attempt, 0 if there is none; an attempt whose claim was lost is recognized by its files."""
        claims = numbers(self.store.names(f"{kind}/{id}/claims"), "")
        left = [int(name[:6]) for name in attempt_folders(names)]
        return max([0, *claims, *left, *numbers(names, "failed-")])

    def path(self, marker: Marker, name: str) -> Path:
        """The local path of an output, after checking its size and digest.

        Raises:
            Damaged: the file is absent or differs from the marker.
        """
        key, said = self._output(marker, name)
        if wrong := self._wrong(key, said, self.store.stat(key)):
            raise Damaged(wrong)
        return self.store.materialize(key)

    def json(self, marker: Marker, name: str) -> Any:
        """A JSON output, checked as in ``path``."""
        key, said = self._output(marker, name)
        data = self.store.get(key)
        if data is None or len(data) != said["bytes"] or hashlib.sha256(data).hexdigest() != said["sha256"]:
            raise Damaged(
                self._wrong(key, said, self.store.stat(key)) or f"{self.store.place(key)} was changed while it was read"
            )
        return json.loads(data)

    @staticmethod
    def _output(marker: Marker, name: str) -> tuple[str, Mapping[str, Any]]:
        assert name in marker.outputs, f"{marker.kind} has no output {name}, only {sorted(marker.outputs)}"
        return f"{marker.kind}/{marker.id}/{marker.attempt}/{name}", marker.outputs[name]

    def _wrong(self, key: str, said: Mapping[str, Any], found: Stat | None) -> str | None:
        """What is wrong with an output; reads the whole output."""
        place = self.store.place(key)
        if found is None:
            return f"{place} is gone"
        if found.size != said["bytes"]:
            return f"{place} has {found.size} bytes, not the {said['bytes']} that were written"
        return None if self._whole(key, said["sha256"]) else f"{place} was changed after it was written (its digest differs)"

    def _whole(self, key: str, sha256: str | None) -> bool:
        """Whether an object exists and has that digest."""
        try:
            with self.store.open_input(key) as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256  # type: ignore[arg-type]
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False

    def damage(self, marker: Marker, digests: bool = False) -> str | None:
        """What is wrong with the outputs.

        Args:
            digests: False: outputs larger than ``SMALL`` bytes with an unchanged stamp are checked by size only
        """
        for name in marker.outputs:
            key, said = self._output(marker, name)
            found = self.store.stat(key)
            same = found is not None and found.stamp == said.get("stamp", found.stamp) and found.size == said["bytes"]
            if (digests or not same or said["bytes"] <= SMALL) and (wrong := self._wrong(key, said, found)):
                return wrong
        return None

    def events(self, kind: str, id: str) -> list[dict[str, Any]]:
        """One row per checkpointed epoch, in order, along the chain of attempts that the newest one resumed from."""
        folders = attempt_folders(self.store.names(f"{kind}/{id}"))
        newest = [f for f in folders if self.store.names(f"{kind}/{id}/{f}/events") or self._origin(kind, id, f)]
        folder: str | None = newest[-1] if newest else None
        seen: set[str] = set()
        rows: dict[int, dict[str, Any]] = {}
        limit = math.inf
        while folder is not None and folder not in seen:
            seen.add(folder)
            for row in self.attempt_events(f"{kind}/{id}/{folder}"):
                if row.get("whole") and row["epoch"] < limit:
                    rows[row["epoch"]] = row
            origin = self._origin(kind, id, folder)
            folder = origin["attempt"] if origin else None
            limit = min(limit, origin["position"][0]) if origin else limit
        latest = -math.inf
        for epoch in sorted(rows):  # if the clock was set back, no epoch may end before the previous one
            latest = max(latest, rows[epoch]["time"])
            rows[epoch]["time"] = latest
        return [rows[epoch] for epoch in sorted(rows)]

    def _object(self, key: str) -> dict[str, Any]:
        """An object other than a marker; an unreadable one counts as absent."""
        return unsealed(self.store.get(key), key)

    def attempt_events(self, prefix: str) -> Iterator[dict[str, Any]]:
        """The readable events of one attempt, in order."""
        rows = (self._object(f"{prefix}/events/{name}") for name in self.store.names(f"{prefix}/events"))
        return filter(None, rows)

    def resumed_from(self, prefix: str) -> dict[str, Any]:
        """The checkpoint that an attempt resumed from; empty if it started from the beginning."""
        return self._object(f"{prefix}/resumed.json")

    def rescaled(self, prefix: str) -> dict[str, Any]:
        """When an attempt ended to go on with more devices (``time``, unix seconds); empty if it did not."""
        return self._object(f"{prefix}/{RESCALED}")

    def _origin(self, kind: str, id: str, folder: str) -> dict[str, Any]:
        """What an attempt resumed from, or empty; also stored in each of its events, in case ``resumed.json`` is damaged."""
        prefix = f"{kind}/{id}/{folder}"
        in_events = (row["origin"] for row in self.attempt_events(prefix) if row.get("origin"))
        return self.resumed_from(prefix) or next(in_events, {})

    def checkpoint(
        self, kind: str, id: str, source: str | None = None, inputs: Mapping[str, str] | None = None
    ) -> Resume | None:
        """The furthest intact checkpoint, with the best checkpoint that it refers to.

        Args:
            source, inputs: of the attempt that wants to resume; None: not compared
        """
        for found in self.saved(kind, id, source, inputs):
            best = found.row.get("best_checkpoint")
            if self.whole(found) and (best is None or self._whole(best, found.row.get("best_sha256"))):
                return found
        return None

    def saved(self, kind: str, id: str, source: str | None = None, inputs: Mapping[str, str] | None = None) -> list[Resume]:
        """The checkpoints left by attempts, furthest first, then newest first; like ``checkpoint``, but reads no file.

        Attempts that began before a marker was voided are excluded.
        """
        found = []
        names = self.store.names(f"{kind}/{id}")
        void = self.void_attempts(kind, id, names)
        for folder in reversed(attempt_folders(names)):
            if int(folder[:6]) <= void:
                break
            for row in self.attempt_events(f"{kind}/{id}/{folder}"):
                alike = source in (None, row.get("source")) and (inputs is None or row.get("inputs") == dict(inputs))
                if row.get("checkpoint") and alike:
                    found.append(Resume(folder, self.store, f"{kind}/{id}/{folder}/{row['checkpoint']}", row))
        return sorted(found, key=lambda one: one.row["position"], reverse=True)

    def void_attempts(self, kind: str, id: str, names: Sequence[str]) -> int:
        """The number of the latest attempt that had begun when a marker was voided; 0 if there was none."""
        found = [0]
        for number in numbers(names, "void-"):
            record = self._object(f"{kind}/{id}/void-{number:03d}.json")
            found.append(record["attempts"] if "attempts" in record else self.newest(kind, id, names) - 1)
        return max(found)

    def whole(self, checkpoint: Resume) -> bool:
        """Whether a checkpoint is intact."""
        return self._whole(checkpoint.key, checkpoint.row.get("sha256"))
