"""What launches and workers are computing at the moment, read from locks, leases and the ledger only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grid.ledger.attempt_times import devices_words
from grid.ledger.lock import live_holder
from grid.ledger.store import LocalStore
from grid.ledger.study import CellView, Study
from grid.spec.stage_kind import StageName, known_kind
from grid.terminal import clock_words


@dataclass(frozen=True)
class Running:
    """A stage that has begun but not ended. Epochs count from 1.

    Attributes:
        id: of the stage; several cells may share it.
        epoch: the current one; None if the stage has no epochs.
        epochs: the total number, if known.
        seconds_left: until the last epoch ends, estimated from the epochs of this attempt; None before the first has ended.
        parts: the number of finished parts, such as the shards of a detection.
        host, device: where it runs, if known.
        since: when the attempt began, in unix seconds.
        devices: how many it takes, in words, if it is a training that can use several.
    """

    stage: str
    id: str
    attempt: int
    epoch: int | None = None
    epochs: int | None = None
    seconds_left: float | None = None
    parts: int | None = None
    host: str | None = None
    device: str | None = None
    since: float | None = None
    devices: str | None = None

    @property
    def text(self) -> str:
        """``train, attempt 2, epoch 3 of 8, about 1:20 left``."""
        words = [self.stage]
        if self.attempt > 1:
            words.append(f"attempt {self.attempt}")
        if self.devices:
            words.append(f"on {self.devices}")
        if self.epoch is not None:
            words.append(f"epoch {self.epoch}" + (f" of {self.epochs}" if self.epochs else ""))
        if self.parts:
            words.append(f"{self.parts} {'part' if self.parts == 1 else 'parts'} done")
        if self.seconds_left is not None:
            words.append(f"about {clock_words(self.seconds_left)} left")
        return ", ".join(words)


def launch_of(study: Study) -> dict[str, Any] | None:
    """The running launch, or None: ``purpose``, ``user``, ``host``, ``pid`` and ``since`` (unix seconds)."""
    holder = live_holder(LocalStore(study.path))
    if holder is None:
        return None
    return {key: holder.get(key) for key in ("purpose", "user", "host", "pid")} | {"since": holder.get("time")}


def running(
    study: Study, cell: CellView, now: float | None = None, parts: dict[str, int | None] | None = None
) -> list[Running]:
    """The stages of a cell that a launch or a worker has begun but not ended.

    Their leases decide, or those of their parts: a stage whose process was lost is not running. Times do not: a worker may have
    begun before the launch did, and the clocks of machines differ.

    Args:
        parts: what ``parts_at_work`` found for earlier cells, since several may share a detection
    """
    now = time.time() if now is None else now
    parts = {} if parts is None else parts
    found = []
    for name in cell.names:
        if name in cell.markers or name in cell.failures:
            continue
        id = cell.stages[name]
        claims = study.ledger.claims(name.kind, id) if cell.attempts[name] else []
        if claims and held(study, name.kind, id):
            found.append(_attempt(study, cell, name, claims[-1], now))
            continue
        if id not in parts:
            parts[id] = parts_at_work(study, name.kind, id)
        if (ended := parts[id]) is not None:
            found.append(Running(str(name), id, 1, parts=ended))
    return found


def held(study: Study, kind: str, id: str) -> bool:
    """Whether a process holds the lease of a stage, on another machine within the last minute."""
    return live_holder(study.ledger.store, f"{kind}/{id}/lease") is not None


def _attempt(study: Study, cell: CellView, name: StageName, claim: Mapping[str, Any], now: float) -> Running:
    id, epochs, folder = cell.stages[name], _epochs(cell, name), claim["folder"]
    claimed = float(claim["time"])
    place_of: dict[str, Any] = {"host": claim.get("host"), "device": claim.get("device"), "since": claimed}
    place_of["devices"] = devices_words(claim) or None
    attempt = study.ledger.attempts(name.kind, id)
    if epochs is None:
        return Running(str(name), id, attempt, **place_of)
    store, place = study.ledger.store, f"{name.kind}/{id}/{folder}"
    begun = store.names(f"{place}/events") or store.size(f"{place}/resumed.json") is not None
    ends = [float(row["time"]) for row in study.ledger.events(name.kind, id)] if begun else []
    epoch = min(len(ends) + 1, epochs)
    own = [claimed, *(end for end in ends if end > claimed)]  # earlier attempts may have run on a slower or faster machine
    left = None
    if len(own) > 1:
        each = (own[-1] - own[0]) / (len(own) - 1)
        left = max(0.0, each * (epochs - len(ends)) - (now - own[-1]))
    return Running(str(name), id, attempt, epoch, epochs, left, **place_of)


def _epochs(cell: CellView, name: StageName) -> int | None:
    part = known_kind(name.kind).epochs_in
    epochs = cell.config.get(part, {}).get("epochs") if part else None
    return epochs if isinstance(epochs, int) else None


def parts_at_work(study: Study, kind: str, id: str) -> int | None:
    """The number of finished parts of a stage, such as the shards of a detection; None if no process computes one."""
    own = known_kind(kind).parts
    if not own:
        return None
    store = study.ledger.store
    parts = [part for part in study.ledger.done_ids(own) if part.startswith(f"{id}-")]
    begun = [part for part in parts if not any(name.startswith("done-") for name in store.names(f"{own}/{part}"))]
    return len(parts) - len(begun) if any(held(study, own, part) for part in begun) else None
