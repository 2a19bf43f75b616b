"""A piece of a detection: some rows of the manifest, on whatever node is free. The detect stage takes it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.cell import Piece
from grid.stages.context import Context, Result
from grid.stages.detect import TABLE, detected, facts_of


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``detections.parquet`` with the rows of the piece."""
    piece: Piece = config["piece"]
    manifest = context.world.manifest(config["detection"].data)
    table = detected(config, context, manifest, piece.start, piece.stop)
    table.save(context.attempt.path / TABLE)
    return Result(facts_of(table), (TABLE,))
