"""Faces of the largest clusters, kept for the report's contact sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLUSTERS, FACES = 12, 10  # clusters on a sheet, and faces of each
IMAGES, TABLE = "cluster_faces.npy", "cluster_faces.parquet"


def save_faces(
    groups: np.ndarray, subjects: np.ndarray, units: np.ndarray, face: Callable[[int], np.ndarray], folder: Path
) -> tuple[str, str]:
    """Writes the faces, uint8 (K, H, W, 3), and a table with a line per face; the names of both files.

    The table has, per face, its ``row`` among the clustered images, the rank of its ``cluster`` by size (from 0), the cluster's
    number of ``images`` and ``subjects``, and whether the face is of the subject with the most images there (``main``).

    Args:
        groups: int (N,), the cluster of each image
        subjects: int (N,)
        units: float (N, D), embeddings of unit length
        face: the crop of an image, by its row
    """
    lines: list[dict[str, Any]] = []
    for rank, members in enumerate(largest(groups)):
        names, counts = np.unique(subjects[members], return_counts=True)
        about = {"cluster": rank, "images": len(members), "subjects": len(names)}
        for row in spread(members, units):
            lines.append({"row": row, **about, "main": bool(subjects[row] == names[counts.argmax()])})
    np.save(folder / IMAGES, np.stack([face(line["row"]) for line in lines]))
    pq.write_table(pa.Table.from_pylist(lines), folder / TABLE)
    return IMAGES, TABLE


def largest(groups: np.ndarray, count: int = CLUSTERS) -> list[np.ndarray]:
    """The rows of each of the largest clusters, largest first; of equal ones, that with the first image."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return sorted(members, key=lambda rows: (-len(rows), int(rows[0])))[:count]


def spread(members: np.ndarray, units: np.ndarray, count: int = FACES) -> list[int]:
    """Up to ``count`` rows of a cluster, evenly from the image nearest to its center to the farthest one."""
    nearness = units[members] @ units[members].mean(axis=0)
    ordered = members[np.argsort(-nearness, kind="stable")]
    places = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
    return [int(row) for row in ordered[places]]
