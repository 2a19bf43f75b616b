"""A shard of a detection: some rows of the manifest, processed on any free node. The detect stage then reuses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.spec.cell import DetectionShard
from grid.stages.context import Context, Result
from grid.stages.detect import TABLE, detected, facts_of


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``detections.parquet`` with the rows of the shard."""
    shard: DetectionShard = config["detect_shard"]
    manifest = context.resolver.manifest(config["detection"].data)
    table = detected(config, context, manifest, shard.start, shard.stop)
    table.save(context.attempt.path / TABLE)
    return Result(facts_of(table), (TABLE,))
