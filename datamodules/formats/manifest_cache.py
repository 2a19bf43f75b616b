"""Cache of the listings and manifests of container files, valid while the files do not change.

It loads a manifest of millions of images in seconds. ``image_index.py`` caches single images instead, so that a scan can resume
after an interruption or run with other settings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.component import digest
from datamodules import cache_file, image_index
from datamodules.formats.byte_ranges import ByteRanges, Listing, Placed, State

VERSION = 2  # raise to invalidate cached files: after a change in how files are listed, or in the cache format
LISTED = pa.schema(
    [
        ("key", pa.string()),
        ("identity", pa.string()),
        ("file", pa.int32()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("coding", pa.int8()),
    ]
)
SCANNED = pa.schema([*LISTED, ("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.string())])
SKIPPED = b"skipped"  # name in the cache file of a JSON object: key -> reason

Asked = tuple[str, tuple[State, ...], dict[str, Any] | None]
"""Name of the dataset, what its files are, and for a manifest the settings."""


def recall_listing(cache: Path, asked: Asked, files: tuple[Path, ...]) -> Listing | None:
    """The listing stored by ``keep_listing`` for the same request; None if there is none."""
    table = _recall(cache, asked)
    return None if table is None else Listing(*_texts(table), _places(table, files))


def keep_listing(cache: Path, asked: Asked, listing: Listing) -> None:
    """Stores a listing atomically."""
    _keep(cache, asked, LISTED, [listing.keys, listing.identities, *_columns(listing.places)], {})


def recall_manifest(cache: Path, asked: Asked, files: tuple[Path, ...]) -> Placed | None:
    """The manifest stored by ``keep_manifest`` for the same request; None if there is none."""
    if (table := _recall(cache, asked)) is None:
        return None
    widths, heights, digests = (tuple(table[name].to_pylist()) for name in ("width", "height", "sha256"))
    skipped = json.loads(table.schema.metadata[SKIPPED])
    return Placed(*_texts(table), widths, heights, digests, skipped, _places(table, files))


def keep_manifest(cache: Path, asked: Asked, manifest: Placed) -> None:
    """Stores a manifest atomically."""
    columns = [manifest.keys, manifest.identities, *_columns(manifest.places)]
    columns += [manifest.widths, manifest.heights, manifest.digests]
    _keep(cache, asked, SCANNED, columns, dict(manifest.skipped))


def _texts(table: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # Store each subject's name once, not once per image.
    names = table["identity"].dictionary_encode().combine_chunks()
    known = names.dictionary.to_pylist() if isinstance(names, pa.DictionaryArray) else []
    identities = tuple(known[place] for place in names.indices.to_pylist()) if known else ()
    return tuple(table["key"].to_pylist()), identities


def _places(table: Any, files: tuple[Path, ...]) -> ByteRanges:
    file, offset, length, coding = (table[name].to_numpy() for name in ("file", "offset", "length", "coding"))
    return ByteRanges(files, file, offset, length, coding)


def _columns(places: ByteRanges) -> list[Any]:
    return [places.file, places.offset, places.length, places.coding]


def _recall(cache: Path, asked: Asked) -> Any:
    data = cache_file.read(_path(cache, asked))
    return None if data is None else pq.read_table(pa.BufferReader(data))


def _keep(cache: Path, asked: Asked, schema: Any, columns: list[Any], skipped: dict[str, str]) -> None:
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata({SKIPPED: json.dumps(skipped)}))
    cache_file.save(_path(cache, asked), lambda file: pq.write_table(table, file, compression="zstd"))


def _path(cache: Path, asked: Asked) -> Path:
    name, now, settings = asked
    what = "listing" if settings is None else "manifest"
    asked_for = digest([VERSION, None if settings is None else image_index.VERSION, name, now, settings])
    return cache / f"{what}-{name}-{asked_for[:24]}.parquet"
