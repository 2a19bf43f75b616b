"""Splits large detections into shards, so that all nodes of a cluster share the work.

A shard is not a stage of the plan: the detect stage has the same id and the same result with and without shards. In the ledger
it is an ordinary node (kind ``detect_shard``), so it is computed once, and a killed process loses at most one shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grid.execution.job import Job
from grid.ledger.ledger import Ledger, State
from grid.plan.code_version import source_digest
from grid.plan.plan import RUN, Plan, store_of
from grid.plan.workload import Workload, shard_workload
from grid.spec.cell import DetectionShard, shard_id
from grid.spec.stage_kind import stage_kind


def shards_of(plan: Plan, jobs: Mapping[str, Job]) -> dict[str, Sequence[Job]]:
    """Maps each unfinished detect stage with more images than one shard holds to the jobs of its unfinished shards."""
    ledger = Ledger(store_of(plan.grid))
    size = plan.grid.spec.launch.detect_images
    found: dict[str, Sequence[Job]] = {}
    for stage in plan.stages:
        kind = stage_kind(stage.stage).parts
        if not kind or stage.state != RUN:
            continue
        detection: Any = stage.node.config["detection"]
        total = len(plan.resolver.manifest(detection.data).keys)
        if total <= size:
            continue
        todo = []
        for number, start in enumerate(range(0, total, size), 1):
            shard = DetectionShard(start=start, stop=min(start + size, total))
            id = shard_id(stage.id, shard)
            source = source_digest(kind, [*stage.node.config.values(), shard])
            if _done(ledger, kind, id, source):
                continue
            ledger.forgive(kind, id)
            name = f"{stage.label} {number}/{-(-total // size)}"
            todo.append(_job(jobs[stage.id], kind, id, name, shard, source))
        found[stage.id] = todo
    return found


def _done(ledger: Ledger, kind: str, id: str, source: str) -> bool:
    """Whether the shard has a valid result; a marker that is no longer valid is voided."""
    status = ledger.status(kind, id, source=source)
    if status.state != State.DONE and status.generation is not None:
        ledger.void(kind, id, str(status.reason), status.generation)
    return status.state == State.DONE


def _job(whole: Job, kind: str, id: str, label: str, shard: DetectionShard, source: str) -> Job:
    rows = shard.model_dump(mode="json")
    return replace(
        whole,
        kind=kind,
        id=id,
        label=label,
        identity={**whole.identity, kind: rows},
        config={**whole.config, kind: rows},
        source=source,
        workload=shard_workload(Workload(**whole.workload), shard).record() if whole.workload else {},
    )
