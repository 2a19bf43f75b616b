"""When the attempts of a stage began and ended, and what they reserved: from claims, markers, failures and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from grid.ledger.attempt_log import FOLDER, SYSTEM, read_log
from grid.ledger.lock import live_holder
from grid.ledger.reader import LedgerReader
from grid.ledger.records import numbers
from grid.ledger.sealed import unsealed
from grid.terminal import counted

CPU, GPU = "CPU", "GPU"
Outcome = Literal["done", "failed", "running", "rescaled", "lost"]


@dataclass(frozen=True)
class AttemptTime:
    """One attempt.

    Attributes:
        began, ended: unix seconds; ``ended`` is None while it runs
        outcome: ``rescaled``: it ended at a checkpoint, so that the next one has more devices; ``lost``: its process ended
            without a result or an error, last heard of at ``ended``
        reserved: CPUs and GPUs that it held
        device: "cpu", or the name of a GPU, in words; None if unknown
        study: id of the study whose launch or worker computed it; None if unknown
    """

    number: int
    began: float
    ended: float | None
    outcome: Outcome
    reserved: Mapping[str, float]
    device: str | None
    study: str | None

    def hours(self, resource: str, now: float) -> float:
        """CPU-hours or GPU-hours until ``now`` (unix seconds)."""
        end = now if self.ended is None else self.ended
        return max(0.0, end - self.began) / 3600 * self.reserved.get(resource, 0.0)


def devices_words(claim: Mapping[str, Any]) -> str:
    """``2 devices`` or ``1 device instead of 2``, of the claim of a training of a cell on several devices; empty of others."""
    taken, wanted = claim.get("devices"), claim.get("cell_devices")
    if taken is None or wanted is None:
        return ""
    words = counted(taken, "device")
    return words if taken == wanted else f"{words} instead of {wanted}"


def attempt_times(ledger: LedgerReader, kind: str, id: str) -> list[AttemptTime]:
    """The attempts of a stage, oldest first.

    An attempt that ended without a record ended when it was last heard of: at its last checkpoint, message or sample, and not
    after the next attempt began. Claims of versions that recorded no resources count as one CPU and, on a GPU, one GPU.
    """
    claims = ledger.claims(kind, id)
    if not claims:
        return []
    ends = _ends(ledger, kind, id)
    found = []
    for claim, later in zip(claims, [*claims[1:], None], strict=True):
        began, number = float(claim["time"]), int(claim["number"])
        end = ends.get(claim["folder"]) or ends.get(f"{number:06d}") or _rescaled(ledger, f"{kind}/{id}/{claim['folder']}")
        if end is None and later is None and live_holder(ledger.store, f"{kind}/{id}/lease") is not None:
            end = ("running", None)
        outcome, ended = end or ("lost", _last_heard(ledger, f"{kind}/{id}/{claim['folder']}", began))
        if ended is not None and later is not None:
            ended = min(ended, float(later["time"]))
        found.append(
            AttemptTime(number, began, ended, outcome, _reserved(claim), claim.get("device"), claim.get("study"))
        )  # fmt: skip
    return found


def _ends(ledger: LedgerReader, kind: str, id: str) -> dict[str, tuple[Outcome, float | None]]:
    """Outcome and end of attempts: by folder if they are done, by number if they failed."""
    names = ledger.store.names(f"{kind}/{id}")
    found: dict[str, tuple[Outcome, float | None]] = {}
    for number in numbers(names, "failed-"):
        key = f"{kind}/{id}/failed-{number:06d}.json"
        if record := unsealed(ledger.store.get(key), key):
            found[f"{number:06d}"] = ("failed", float(record["time"]))
    for number in numbers(names, "done-"):
        key = f"{kind}/{id}/done-{number:03d}.json"
        if record := unsealed(ledger.store.get(key), key):
            found[str(record["attempt"])] = ("done", float(record["finished"]))
    return found


def _rescaled(ledger: LedgerReader, prefix: str) -> tuple[Outcome, float | None] | None:
    record = ledger.rescaled(prefix)
    return ("rescaled", float(record["time"])) if record else None


def _last_heard(ledger: LedgerReader, prefix: str, began: float) -> float:
    times = [row["time"] for row in ledger.attempt_events(prefix)]
    times += [row["time"] for folder in (FOLDER, SYSTEM) for row in read_log(ledger.store, prefix, folder)]
    return max([began, *map(float, times)])


def _reserved(claim: Mapping[str, Any]) -> dict[str, float]:
    if isinstance(said := claim.get("reserved"), Mapping):
        return {name: float(amount) for name, amount in said.items() if name in (CPU, GPU)}
    return {CPU: 1.0, GPU: float(str(claim.get("device", "")).startswith("gpu"))}
