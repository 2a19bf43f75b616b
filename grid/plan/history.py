"""Durations that were measured: of the finished stages in a store, of this study and of others that share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice

from grid.ledger.ledger import Damaged, Ledger
from grid.plan.plan import Plan, store_of
from grid.plan.workload import Workload
from grid.spec.stage_kind import built_in

MOST = 100  # stages per kind that are read, those of the plan first; ids are digests, so the first others are a random sample


@dataclass(frozen=True)
class Duration:
    """One measurement.

    Attributes:
        seconds: of the attempt that computed the stage, if it did so from the start
        device: "cpu", or the name of a GPU
    """

    workload: Workload
    seconds: float
    device: str


def measured(plan: Plan, works: Mapping[str, Workload]) -> list[Duration]:
    """The durations in the store of a plan.

    Those of attempts that went on from a checkpoint, or that had other devices than their cell says, are left out.
    """
    ledger = Ledger(store_of(plan.grid))
    own: dict[str, dict[str, bool]] = {kind.name: {} for kind in built_in()}  # kind -> id -> whether it has a result
    for stage in plan.stages:
        own.setdefault(stage.stage, {})[stage.id] = stage.device is not None
    found = []
    for kind, ids in own.items():
        here = [id for id, done in ids.items() if done]
        others = (id for id in ledger.done_ids(kind) if id not in ids)
        found += [duration_of(ledger, kind, id, works.get(id)) for id in islice(chain(here, others), MOST)]
    return [one for one in found if one is not None]


def duration_of(ledger: Ledger, kind: str, id: str, known: Workload | None) -> Duration | None:
    """How long a stage took; None without a result, or if its attempt went on from a checkpoint or had other devices.

    Args:
        known: its workload, for claims that recorded none, or an amount on a scale that is no longer used
    """
    try:
        marker = ledger.marker(kind, id)
    except Damaged:
        return None
    if marker is None or "device" not in marker.environment or not marker.facts.get("promoted", True):
        return None  # a trial that was not promoted trained nothing
    claim = next((one for one in ledger.claims(kind, id) if one["folder"] == marker.attempt), {})
    said = claim.get("workload")  # versions before 0.1.1 recorded none
    workload = known
    if isinstance(said, Mapping):
        recorded = Workload(said["group"], said["network"], said["amount"], said.get("scale", 1))
        workload = recorded if recorded.comparable else known
    others = claim.get("devices") != claim.get("cell_devices")
    if workload is None or others or ledger.resumed_from(f"{kind}/{id}/{marker.attempt}"):
        return None
    return Duration(workload, max(marker.finished - marker.started, 1e-3), str(marker.environment["device"]))
