"""Detection: boxes and landmarks of every image of one dataset, computed once for all cells.

Images are processed in chunks. Chunks finished by an earlier attempt are reused, so a killed detection resumes where it
stopped; so are shards computed by other nodes (see ``detect_shard.py``). A dataset's own list of landmarks takes the place
of the detector where the detector says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from configs.contract import broken, naming
from configs.data_interfaces import Dataset
from datamodules.detection import Detections
from datamodules.prefetching import ahead, readers
from grid.ledger.ledger import Resume, State
from grid.plan.code_version import source_digest
from grid.spec.cell import DetectionShard, shard_of
from grid.stages.context import Context, Result, fast_rows
from grid.stages.kinds.detect import lists_faces

CHUNK = 256  # images between two saved parts
PIXELS = 1 << 25  # decoded at once: 96 MB, and up to twice as much for the images that are decoded meanwhile
TABLE = "detections.parquet"


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``detections.parquet``: one row per image of the manifest."""
    manifest = context.resolver.manifest(config["detection"].data)
    if context.fast:
        manifest = manifest.subset(fast_rows(manifest))
    total = len(manifest.keys)
    shards = {} if context.fast else _shards(context)
    parts, start = [], 0
    while start < total:
        part = _loaded(context, config, shards.get(start), manifest)
        if part is None:
            stop = min([total, *(other for other in shards if other > start)])
            part = detected(config, context, manifest, start, stop)
        parts.append(part)
        start += len(part)
    whole = Detections.concat(parts)
    whole.save(context.attempt.path / TABLE)
    return Result(facts_of(whole), (TABLE,))


def facts_of(whole: Detections) -> dict[str, int]:
    found = int(whole.found.sum())
    return {"images": len(whole), "found": found, "missing": len(whole) - found}


def detected(config: Mapping[str, Any], context: Context, manifest: Any, start: int, stop: int) -> Detections:
    """The rows from ``start`` to ``stop`` of the manifest, chunk by chunk."""
    detection = config["detection"]
    if lists_faces(detection.data, detection.detector):
        return detection.data.detections(manifest.subset(list(range(start, stop))))
    known = {} if context.fast else _finished(context)
    ranges = [(first, min(first + CHUNK, stop)) for first in range(start, stop, CHUNK)]
    finished: dict[int, Detections] = {}
    for first, last in ranges:
        chunk = known.get(_name(first))
        if chunk is not None and context.ledger.whole(chunk):
            part = Detections.load(chunk.path)
            if part.keys == tuple(manifest.keys[first:last]):
                finished[first] = part
    detector = detection.detector.build(context.device) if len(finished) < len(ranges) else None
    images = ahead(_images(detection.data.build(manifest), [some for some in ranges if some[0] not in finished]), 1)
    parts = []
    for first, last in ranges:
        if first in finished:
            part = finished[first]
        else:
            context.attempt.check()
            assert detector is not None
            found: list[Any] = []
            while len(found) < last - first:
                some = next(images)
                found += checked_faces(detector.detect(some), len(some), detection.detector.name)
            part = Detections.of(manifest.keys[first:last], found)
        name = _name(first)
        path = context.attempt.path / name
        path.parent.mkdir(exist_ok=True)
        part.save(path)
        if not context.fast:
            context.attempt.event({"position": [first, last], "whole": False}, name)
        parts.append(part)
        context.report({"done": last - start, "total": stop - start, "unit": "images"})
    return Detections.concat(parts)


def _name(first: int) -> str:
    """The file of the chunk that begins with that row."""
    return f"chunks/{first:09d}.parquet"


def _images(faces: Dataset, ranges: Sequence[tuple[int, int]]) -> Iterator[list[np.ndarray]]:
    """The images of each range of rows, decoded by several threads; at most ``PIXELS`` pixels at once, or one image."""
    manifest = faces.manifest
    with ThreadPoolExecutor(readers()) as pool:
        for first, last in ranges:
            rows: list[int] = []
            pixels = 0
            for row in range(first, last):
                more = manifest.widths[row] * manifest.heights[row]
                if rows and pixels + more > PIXELS:
                    yield list(pool.map(faces.image, rows))
                    rows, pixels = [], 0
                rows.append(row)
                pixels += more
            yield list(pool.map(faces.image, rows))


def checked_faces(found: Any, count: int, name: str) -> Any:
    """What the detector ``name`` returned for ``count`` images.

    Raises:
        ContractError: it is not one ``Detection`` per image.
    """
    with naming("detector", name):
        if not isinstance(found, (list, tuple)) or len(found) != count:
            raise broken("detect returned", found, f"a list of {count} Detections, one per image", "detector")
        for row in found:
            if not all(hasattr(row, part) for part in ("found", "box", "score", "landmarks")):
                raise broken("detect returned a list with", row, "Detections of datamodules.detection", "detector")
        return found


def _finished(context: Context) -> dict[str, Resume]:
    """Name -> chunk, for chunks from earlier attempts with the same code and inputs."""
    attempt = context.attempt
    found = context.ledger.saved(attempt.kind, attempt.id, attempt.source, attempt.inputs)
    return {str(one.row["checkpoint"]): one for one in reversed(found) if one.attempt != attempt.folder}


def _shards(context: Context) -> dict[int, tuple[DetectionShard, str]]:
    """First row -> shard and its id, for the shards recorded in the ledger."""
    found = {}
    for id in context.ledger.done_ids("detect_shard"):
        if shard := shard_of(id, context.attempt.id):
            found[shard.start] = (shard, id)
    return found


def _loaded(
    context: Context, config: Mapping[str, Any], known: tuple[DetectionShard, str] | None, manifest: Any
) -> Detections | None:
    """A finished shard, if it is intact, has these images, and was computed by the current code."""
    if known is None:
        return None
    shard, id = known
    status = context.ledger.status("detect_shard", id, source=source_digest("detect_shard", [*config.values(), shard]))
    marker = status.marker
    if status.state != State.DONE or marker is None or context.ledger.damage(marker, digests=True):
        return None
    table = Detections.load(context.ledger.path(marker, TABLE))
    return table if table.keys == tuple(manifest.keys[shard.start : shard.stop]) else None
