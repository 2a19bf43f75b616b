"""Finds what a store can do without: checkpoints of finished stages, replaced attempts, results of removed cells.

Markers, outputs, learning curves (``events``), failures, and the checkpoints from which an unfinished stage would resume are
kept, so no state and no number changes. Stages that a process is computing, and stages with a damaged marker, are left alone.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grid.ledger.attempt_times import attempt_times
from grid.ledger.lock import live_holder
from grid.ledger.reader import LedgerReader
from grid.ledger.records import RESCALE, RESCALED, attempt_folders, numbers
from grid.ledger.sealed import Damaged
from grid.ledger.store_interface import Store
from grid.ledger.study import RECORD, Study, write_record
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import DETECT, DETECT_SHARD

ID = re.compile(r"[0-9a-f]{32}(-\d{9}-\d{9})?")  # of a stage, or of a shard of a detection
# of any attempt: small; reports draw curves from them, and spending counts by them
RECORDS = ("events", "log", "system", "resumed.json", RESCALE, RESCALED)
CHECKPOINT, ATTEMPT, REMOVED = "checkpoints of finished stages", "replaced attempts", "results of removed cells"


@dataclass(frozen=True)
class Unneeded:
    """Objects under one prefix that may be deleted."""

    prefix: str
    bytes: int
    what: str  # CHECKPOINT, ATTEMPT or REMOVED


def unneeded(ledger: LedgerReader, removed: Collection[tuple[str, str]] = ()) -> Iterator[Unneeded]:
    """What may be deleted, in the order of the store.

    Args:
        removed: kind and id of stages that no cell needs any more; they are given up with all records, and the shards of
            detections with them
    """
    store = ledger.store
    for kind in store.names(""):
        for id in filter(ID.fullmatch, store.names(kind)):
            if live_holder(store, f"{kind}/{id}/lease") is not None:
                continue
            whole = (DETECT, id.partition("-")[0]) if kind == DETECT_SHARD else (kind, id)
            found = [(f"{kind}/{id}", REMOVED)] if whole in removed else _of_stage(ledger, kind, id)
            for prefix, what in found:
                if size := _size(ledger, prefix):
                    yield Unneeded(prefix, size, what)


def _of_stage(ledger: LedgerReader, kind: str, id: str) -> Iterator[tuple[str, str]]:
    names = ledger.store.names(f"{kind}/{id}")
    try:
        marker = ledger.marker(kind, id)
    except Damaged:
        return
    void = numbers(names, "void-")
    ended = ledger.void_attempts(kind, id, names) if void else 0  # attempts begun before are never resumed
    for folder in attempt_folders(names):
        prefix = f"{kind}/{id}/{folder}"
        if marker is not None and folder == marker.attempt:
            yield f"{prefix}/checkpoints", CHECKPOINT
        elif marker is not None or int(folder[:6]) <= ended:
            yield from ((f"{prefix}/{name}", ATTEMPT) for name in ledger.store.names(prefix) if name not in RECORDS)


def _size(ledger: LedgerReader, prefix: str) -> int:
    """Bytes of an object, or of all objects under a prefix."""
    store = ledger.store
    if not store.names(prefix):
        return store.size(prefix) or 0
    return sum(store.size(f"{prefix}/{key}") or 0 for key in store.walk(prefix))


def delete(store: Store, objects: Sequence[Unneeded]) -> tuple[list[Unneeded], list[OSError]]:
    """Deletes what it can; returns what was deleted, and why the rest was not."""
    deleted, errors = [], []
    for one in objects:
        try:
            store.delete(one.prefix)
            deleted.append(one)
        except OSError as error:
            errors.append(error)
    return deleted, errors


def note_spent(studies: Sequence[Study], objects: Sequence[Unneeded]) -> None:
    """Records in each study when its attempts at removed stages began and ended, since what was spent counts for ever."""
    stages = [tuple(one.prefix.split("/")) for one in objects if one.what == REMOVED]
    for study in studies:
        own, noted = {stage["id"] for stage in study.record["stages"]}, study.record.get("pruned", [])
        times = [
            asdict(one)
            for kind, id in stages
            if id.partition("-")[0] in own
            for one in attempt_times(study.ledger, kind, id)
            if one.study in (None, study.id)
        ]
        if new := [one for one in times if one not in noted]:  # not those of a prune that was interrupted
            study.record["pruned"] = [*noted, *new]
            write_record(study.path, study.record)


def without_removed(study: Study, others: Sequence[Study] = ()) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """What a study's record has without the cells that left its grid (``hidden``, ``stages``), and the stages (kind, id) that
    only those need.

    Args:
        others: all other studies with the same store; what their cells need is kept, that of their removed cells included

    Raises:
        BadInput: the store is not the study's own, so other studies may need the stages, and none is named; one that is named
            has another store; or a study in the same folder has this store, and is not named.
    """
    record = study.record
    if not others and (not isinstance(study.store, Path) or not study.store.is_relative_to(study.path)):
        raise BadInput(
            f"--removed: the store {study.store} is not in the folder of {study.name}, so other studies may need what this one "
            "no longer does; name each of them with --shared-with STUDY, or leave out --removed"
        )
    if unnamed := sorted(_beside(study) - {other.path.resolve() for other in others}):
        raise BadInput(
            f"--removed: {unnamed[0]} has the store of {study.name}, too, and may need what {study.name} no longer does; add "
            f"--shared-with {unnamed[0]}"
        )
    known = record.get("store_id")
    for other in others:
        if known is None or other.record.get("store_id") != known:
            raise BadInput(
                f"--shared-with {other.path}: its store is {other.store}, and that of {study.name} is {study.store}; name "
                "the studies with the same launch.store"
            )
    needed = {id for cell in record["cells"] for id in cell["stages"].values()}
    needed |= {
        id for other in others for key in ("cells", "hidden") for cell in other.record[key] for id in cell["stages"].values()
    }
    gone = {id for cell in record["hidden"] for id in cell["stages"].values()} - needed
    removed = {(stage["stage"], stage["id"]) for stage in record["stages"] if stage["id"] in gone}
    return {"hidden": [], "stages": [stage for stage in record["stages"] if stage["id"] not in gone]}, removed


def _beside(study: Study) -> set[Path]:
    """The other studies in the folder of this one with the same store."""
    own, found = study.path.resolve(), set()
    for file in own.parent.glob(f"*/{RECORD}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a damaged record names no store
            store = str(json.loads(file.read_text(encoding="utf-8"))["store"])
            place = store if "://" in store else (file.parent / store).resolve()
            if file.parent != own and place == (study.store if isinstance(study.store, str) else study.store.resolve()):
                found.add(file.parent)
    return found
