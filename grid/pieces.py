"""Large detections are cut into pieces, so that all nodes of a cluster share the work.

A piece is no stage of the plan: the detect stage has the same id and the same result with and without pieces. In the ledger it
is a node like any other (kind ``piece``), so it is computed once, and a kill loses at most a shard of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grid.cell import Piece, piece_id
from grid.ledger import Ledger, State
from grid.plan import RUN, Plan, store_of
from grid.sources import source_digest
from grid.trial import Job
from grid.world import World


def pieces_of(plan: Plan, jobs: Mapping[str, Job]) -> dict[str, Sequence[Job]]:
    """Detect stage -> the jobs of its pieces that are not done, for open stages of more images than one piece has."""
    ledger = Ledger(store_of(plan.grid))
    world = World(store_of(plan.grid))
    size = plan.grid.spec.launch.detect_images
    found: dict[str, Sequence[Job]] = {}
    for stage in plan.stages:
        if stage.stage != "detect" or stage.state != RUN:
            continue
        detection: Any = stage.node.config["detection"]
        total = len(world.manifest(detection.data).keys)
        if total <= size:
            continue
        todo = []
        for number, start in enumerate(range(0, total, size), 1):
            piece = Piece(start=start, stop=min(start + size, total))
            id = piece_id(stage.id, piece)
            source = source_digest("piece", [*stage.node.config.values(), piece])
            if _done(ledger, id, source):
                continue
            ledger.forgive("piece", id)
            name = f"{stage.label} {number}/{-(-total // size)}"
            todo.append(_job(jobs[stage.id], id, name, piece, source))
        found[stage.id] = todo
    return found


def _done(ledger: Ledger, id: str, source: str) -> bool:
    """Whether the piece stands; what no longer counts is voided."""
    status = ledger.status("piece", id, source=source)
    if status.state != State.DONE and status.generation is not None:
        ledger.void("piece", id, str(status.reason), status.generation)
    return status.state == State.DONE


def _job(whole: Job, id: str, label: str, piece: Piece, source: str) -> Job:
    rows = piece.model_dump(mode="json")
    return replace(
        whole,
        kind="piece",
        id=id,
        label=label,
        identity={**whole.identity, "piece": rows},
        config={**whole.config, "piece": rows},
        source=source,
    )
