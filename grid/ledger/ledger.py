"""The ledger: records what has been computed and where it is stored. It is the source of truth; Ray and MLflow only mirror it.

Under ``<kind>/<id>/`` of a store, every object is written once and contains its own digest:

* ``claims/000002.json``: an attempt claimed its number (create-if-absent) and a token.
* ``000002-<token>/``: the files of that attempt: outputs, ``events/``, ``checkpoints/``, ``log/`` and ``system/`` (messages and
  samples of the machine, without digests).
* ``000002-<token>/rescale.json``: that attempt was asked to end at its next checkpoint, for more devices; ``rescaled.json``: it
  did.
* ``failed-000002.json``: that attempt failed with a reproducible error; ``retry-000002.json`` forgives it.
* ``done-000.json``: the marker, created last and only once; names the attempt and the digests of outputs and inputs.
* ``void-000.json``: that marker is no longer valid, and why; the next one is ``done-001.json``.
* ``accepted-000000.json``: that marker counts although its code has changed: who, when and why.

An attempt with a newer claim after it is fenced: it may write in its own folder but never a marker. An attempt resumes only
from checkpoints written by the same code from the same inputs, and never from an attempt that began before a marker of the
stage was voided.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.ledger.attempt import Attempt
from grid.ledger.lock import live_holder
from grid.ledger.reader import SMALL, LedgerReader
from grid.ledger.records import RESCALE, UNSEALED, Cause, Failure, Fenced, Marker, Resume, State, Status, numbers
from grid.ledger.sealed import Damaged, seal

__all__ = [
    "SMALL", "UNSEALED", "Attempt", "Cause", "Damaged", "Failure", "Fenced", "Ledger", "Marker", "Resume", "State", "Status",
]  # fmt: skip


class Ledger(LedgerReader):
    """Reads stages and begins attempts in one store."""

    def void(self, kind: str, id: str, reason: str, generation: int | None = None) -> None:
        """Invalidates a marker; the stage must be computed again, and attempts begun so far are not resumed.

        Args:
            generation: of that marker, as returned by ``status``; a marker written since by another launch is kept. None:
                newest
        """
        names = self.store.names(f"{kind}/{id}")
        done = numbers(names, "done-")
        assert done, f"nothing to void: {kind}/{id}"
        number = done[-1] if generation is None else generation
        record = {"reason": reason, "time": time.time(), "attempts": self.newest(kind, id, names)}
        self.store.create(f"{kind}/{id}/void-{number:03d}.json", seal(record))

    def forgive(self, kind: str, id: str) -> None:
        """Clears the current failure; the stage may be tried again."""
        failed = self.failure(kind, id)
        if failed:
            self.store.create(f"{kind}/{id}/retry-{failed.attempt:06d}.json", seal({"time": time.time()}))

    def lost(self, kind: str, id: str, identity: Any, error: str, launch: str = "") -> None:
        """Records that the processes computing a stage were lost too often; ``forgive`` allows another try.

        Nothing is recorded while a process of another launch computes the stage.

        Args:
            launch: token of the launch that lost them, as in their claims; empty: their claims have none
        """
        number = self.newest(kind, id, self.store.names(f"{kind}/{id}"))
        claimed = next((claim.get("launch", "") for claim in self.claims(kind, id) if claim["number"] == number), "")
        if not (launch and claimed == launch) and live_holder(self.store, f"{kind}/{id}/lease") is not None:
            return
        failed = self.store.size(f"{kind}/{id}/failed-{number:06d}.json") is not None
        if not number or failed or claimed != launch:  # this launch has claimed nothing since the last failure was forgiven
            number = self.begin(kind, id, identity, about={"launch": launch} if launch else None).number
        record = Failure(number, error, "", deterministic=False, time=time.time())
        self.store.create(f"{kind}/{id}/failed-{number:06d}.json", seal(asdict(record)))

    def ask_rescale(self, kind: str, id: str, attempt: str, devices: int) -> None:
        """Asks a running attempt to end at its next checkpoint: the stage then goes on with so many devices.

        Args:
            attempt: its folder
        """
        self.store.create(f"{kind}/{id}/{attempt}/{RESCALE}", seal({"devices": devices, "time": time.time()}))

    def remember(self, kind: str, id: str, identity: Mapping[str, Any]) -> None:
        """Writes the identity if it is absent or damaged."""
        key = f"{kind}/{id}/identity.json"
        if not self.store.create(key, seal(identity)) and not self._object(key) and identity:
            self.store.put(key, seal(identity))

    def begin(
        self,
        kind: str,
        id: str,
        identity: Mapping[str, Any],
        source: str = "",
        inputs: Mapping[str, str] | None = None,
        device: str = "",
        about: Mapping[str, Any] | None = None,
    ) -> Attempt:
        """Claims the next attempt number; older attempts are fenced from now on.

        Args:
            source: digest of the code that runs; stored in every event
            inputs: upstream id -> content of its marker; stored in every event
            device: that computes it, in words for ``status``
            about: more facts for the claim, see ``grid.ledger.attempt_times``
        """
        for prefix in (f"{kind}/{id}", f"{kind}/{id}/claims"):
            self.store.sweep(prefix)
        self.remember(kind, id, identity)
        token = uuid.uuid4().hex[:8]
        while True:
            number = self.newest(kind, id, self.store.names(f"{kind}/{id}")) + 1
            claim = {"token": token, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
            claim |= {**({"device": device} if device else {}), **(about or {})}
            if self.store.create(f"{kind}/{id}/claims/{number:06d}.json", seal(claim)):
                return Attempt(self, kind, id, number, token, source, dict(inputs or {}))
