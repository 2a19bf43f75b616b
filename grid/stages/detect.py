"""Detection: boxes and landmarks of every image of one dataset, once for all cells.

Work goes in shards. A shard that an earlier attempt finished is taken over, so a killed detection goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datamodules.detection import Detections
from grid.stages.context import Context, Result, fast_rows

SHARD = 256  # images; also how many are decoded at once


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``detections.parquet``: one row per image of the manifest."""
    detection = config["detection"]
    manifest = context.world.manifest(detection.data)
    if context.fast:
        manifest = manifest.subset(fast_rows(manifest))
    faces = detection.data.build(manifest)
    detector = None
    parts = []
    total = len(manifest.keys)
    for number, start in enumerate(range(0, total, SHARD)):
        name = f"shards/{number:05d}.parquet"
        stop = min(start + SHARD, total)
        part = None if context.fast else _finished(context, name)
        if part is None or part.keys != tuple(manifest.keys[start:stop]):
            context.attempt.check()
            detector = detector or detection.detector.build(context.device)
            found = detector.detect([faces.image(row) for row in range(start, stop)])
            part = Detections.of(manifest.keys[start:stop], found)
        path = context.attempt.path / name
        path.parent.mkdir(exist_ok=True)
        part.save(path)
        parts.append(part)
        context.report({"done": stop, "total": total, "unit": "images"})
    whole = Detections.concat(parts)
    whole.save(context.attempt.path / "detections.parquet")
    found = int(whole.found.sum())
    return Result({"images": total, "found": found, "missing": total - found}, ("detections.parquet",))


def _finished(context: Context, name: str) -> Detections | None:
    """The shard as an earlier attempt left it; the file is written in one move, so it is whole or absent."""
    attempt = context.attempt
    for folder in reversed(context.ledger.store.names(f"{attempt.kind}/{attempt.id}")):
        if folder[:6].isdigit() and folder != attempt.folder:
            path = context.ledger.store.local(f"{attempt.kind}/{attempt.id}/{folder}/{name}")
            if path.is_file():
                return Detections.load(path)
    return None
