"""An attempt: one try at computing one stage, its outputs and its outcome."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from configs.component import file_digest
from grid.ledger.reader import LedgerReader
from grid.ledger.records import RESCALE, RESCALED, Failure, Fenced, Marker, Resume, numbers
from grid.ledger.sealed import seal
from grid.spec.stage_name import SHOWN_ID


@dataclass
class Attempt:
    """One try at computing one stage; writes under a separate prefix."""

    ledger: LedgerReader
    kind: str
    id: str
    number: int
    token: str
    source: str = ""  # digest of the code that runs
    inputs: Mapping[str, str] = field(default_factory=dict)  # upstream id -> content
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)  # start time on the monotonic clock
    origin: Mapping[str, Any] | None = None  # the checkpoint it resumed from: ``attempt`` and ``position``

    @property
    def now(self) -> float:
        """Unix seconds, extrapolated from the wall clock at the start of the attempt."""
        return self.started + time.monotonic() - self.clock

    @property
    def folder(self) -> str:
        return f"{self.number:06d}-{self.token}"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.id}/{self.folder}"

    @cached_property
    def path(self) -> Path:
        """The local folder for outputs; created on first access."""
        return self.ledger.store.scratch(self.prefix)

    def close(self) -> None:
        """Releases ``path``: files that were not uploaded may be deleted."""
        if "path" in self.__dict__:
            self.ledger.store.discard(self.__dict__.pop("path"))

    def check(self) -> None:
        """Raises Fenced if a newer attempt has claimed this stage."""
        last = max([0, *numbers(self.ledger.store.names(f"{self.kind}/{self.id}/claims"), "")])
        if last > self.number:
            raise Fenced(f"{self.kind} {self.id[:SHOWN_ID]}: attempt {self.number} was overtaken by attempt {last}")

    def resumable(self) -> Resume | None:
        """The checkpoint that this attempt may resume from: written by the same code, from the same inputs."""
        return self.ledger.checkpoint(self.kind, self.id, self.source, self.inputs)

    def resumed(self, origin: Resume) -> None:
        """Records the checkpoint that this attempt resumed from."""
        self.origin = {"attempt": origin.attempt, "position": origin.row["position"]}
        self.ledger.store.create(f"{self.prefix}/resumed.json", seal({**origin.row, "attempt": origin.attempt}))

    def rescale_asked(self) -> bool:
        """Whether a launch has asked this attempt to end at its next checkpoint, see ``Ledger.ask_rescale``."""
        return self.ledger.store.size(f"{self.prefix}/{RESCALE}") is not None

    def rescaled(self) -> None:
        """Records that this attempt ended as it was asked to."""
        self.ledger.store.create(f"{self.prefix}/{RESCALED}", seal({"time": self.now}))

    def event(self, row: Mapping[str, Any], checkpoint: str | None) -> dict[str, Any]:
        """Writes one immutable object per checkpoint; returns the row as written.

        ``row`` has ``epoch``, ``position`` ([epoch, batch] to resume from) and ``whole`` (True at the end of an epoch).
        """
        self.check()
        row = {**row, "time": row.get("time", self.now), "source": self.source, "inputs": dict(self.inputs)}
        if self.origin:
            row["origin"] = dict(self.origin)
        if checkpoint is not None:
            self.ledger.store.upload(self.path / checkpoint, f"{self.prefix}/{checkpoint}")
            row |= {"checkpoint": checkpoint, "sha256": file_digest(self.path / checkpoint)}
        position = "-".join(f"{part:09d}" for part in row["position"])
        self.ledger.store.create(f"{self.prefix}/events/{position}.json", seal(row))
        return row

    def finish(
        self,
        facts: Mapping[str, Any],
        inputs: Mapping[str, str],
        source: str,
        keep: Iterable[str],
        environment: Mapping[str, Any] | None = None,
    ) -> Marker:
        """Hashes the outputs ``keep`` and creates the marker; an existing marker of the same generation takes precedence.

        Args:
            environment: the device and the library versions that computed it
        """
        outputs = {}
        files = sorted(set(keep))
        self.ledger.store.upload_all(self.path, self.prefix, files)
        for name in files:
            found = self.ledger.store.stat(f"{self.prefix}/{name}")
            assert found is not None, name
            outputs[name] = {"sha256": file_digest(self.path / name), "bytes": found.size, "stamp": found.stamp}
        self.check()
        names = self.ledger.store.names(f"{self.kind}/{self.id}")
        void = numbers(names, "void-")
        newest = max([-1, *void, *numbers(names, "done-")])
        generation = newest + 1 if newest < 0 or newest in void else newest
        marker = Marker(
            kind=self.kind, id=self.id, generation=generation, attempt=self.folder, outputs=outputs, inputs=dict(inputs),
            source=source, facts=dict(facts), started=self.started, finished=self.now, host=socket.gethostname(),
            environment=dict(environment or {}),
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
