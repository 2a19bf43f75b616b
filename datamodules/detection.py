"""Results of a face detector on a dataset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import Detection as AnyDetection

POINTS = 5  # left and right eye, nose, left and right mouth corner; left in the image
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("found", pa.bool_()),
        ("box", pa.list_(pa.float32(), 4)),
        ("score", pa.float32()),
        ("landmarks", pa.list_(pa.float32(), 2 * POINTS)),
    ]
)


@dataclass(frozen=True)
class Detection:
    """One face in one image.

    Attributes:
        found: False if no face was detected; the box is then four zeros
        box: x0, y0, x1, y1 in pixels of the full image; may extend beyond it
        score: 0 to 1
        landmarks: five (x, y) in pixels: eyes, nose, corners of the mouth; empty if unknown
    """

    found: bool
    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...] = ()


MISSED = Detection(found=False, box=(0.0, 0.0, 0.0, 0.0), score=0.0)


@dataclass(frozen=True, eq=False)
class Detections:
    """One row per image, in the manifest's order.

    Attributes:
        keys: the images' keys
        found: bool (N,)
        boxes: float32 (N, 4)
        scores: float32 (N,)
        landmarks: float32 (N, 5, 2), NaN if unknown
    """

    keys: tuple[str, ...]
    found: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.keys)
        assert self.found.shape == (count,), self.found.shape
        assert self.boxes.shape == (count, 4), self.boxes.shape
        assert self.scores.shape == (count,), self.scores.shape
        assert self.landmarks.shape == (count, POINTS, 2), self.landmarks.shape
        if len(self.index) != count:
            raise ValueError("detections name an image twice")

    @classmethod
    def of(cls, keys: Sequence[str], rows: Sequence[AnyDetection]) -> Detections:
        """A table with one Detection per key."""
        assert len(keys) == len(rows), (len(keys), len(rows))
        landmarks = np.full((len(rows), POINTS, 2), np.nan, np.float32)
        for place, row in enumerate(rows):
            if row.landmarks:
                landmarks[place] = row.landmarks
        return cls(
            keys=tuple(keys),
            found=np.array([row.found for row in rows], bool),
            boxes=np.array([row.box for row in rows], np.float32).reshape(-1, 4),
            scores=np.array([row.score for row in rows], np.float32),
            landmarks=landmarks,
        )

    @classmethod
    def concat(cls, parts: Iterable[Detections]) -> Detections:
        """The concatenated rows of all parts."""
        tables = list(parts)
        if not tables:
            return cls.of((), ())
        columns = zip(*((table.found, table.boxes, table.scores, table.landmarks) for table in tables), strict=True)
        return cls(tuple(key for table in tables for key in table.keys), *map(np.concatenate, columns))

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def index(self) -> dict[str, int]:
        """Key -> row."""
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over keys and all values, in order."""
        total = hashlib.sha256()
        for key in self.keys:
            data = key.encode()
            total.update(len(data).to_bytes(8, "little"))
            total.update(data)
        for array, kind in ((self.found, "?"), (self.boxes, "<f4"), (self.scores, "<f4"), (self.landmarks, "<f4")):
            total.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return total.hexdigest()

    def at(self, index: int) -> Detection:
        """Row ``index`` as a Detection."""
        points = self.landmarks[index]
        known = not np.isnan(points).any()
        x0, y0, x1, y1 = self.boxes[index].tolist()
        return Detection(
            found=bool(self.found[index]),
            box=(x0, y0, x1, y1),
            score=float(self.scores[index]),
            landmarks=tuple((x, y) for x, y in points.tolist()) if known else (),
        )

    def row(self, key: str) -> Detection:
        """The Detection of the image ``key``.

        Raises:
            ValueError: there is no detection for that image.
        """
        if key not in self.index:
            raise ValueError(f"no detection for the image {key}; run the detect stage on this dataset again")
        return self.at(self.index[key])

    def save(self, path: Path) -> None:
        """Writes Parquet atomically; equal tables give equal bytes."""
        columns = [
            pa.array(self.keys, pa.string()),
            pa.array(self.found.tolist(), pa.bool_()),
            pa.FixedSizeListArray.from_arrays(pa.array(self.boxes.ravel(), pa.float32()), 4),
            pa.array(self.scores, pa.float32()),
            pa.FixedSizeListArray.from_arrays(pa.array(self.landmarks.ravel(), pa.float32()), 2 * POINTS),
        ]
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), temporary, compression="zstd")
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> Detections:
        """Reads a file written by ``save``."""
        table = pq.read_table(path, schema=SCHEMA).combine_chunks()
        count = table.num_rows

        def values(name: str, width: int) -> np.ndarray:
            flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table[name].chunks]
            return np.concatenate([np.zeros(0, np.float32), *flat]).reshape(count, width)

        return cls(
            keys=tuple(table["key"].to_pylist()),
            found=np.array(table["found"].to_pylist(), bool),
            boxes=values("box", 4),
            scores=np.array(table["score"].to_numpy(), np.float32),
            landmarks=values("landmarks", 2 * POINTS).reshape(count, POINTS, 2),
        )
