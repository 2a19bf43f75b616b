"""Clustering of images by subject: k-means and agglomerative clustering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import ProtocolConfig
from datamodules.evaluation_sets.templates import Clustering
from grid.evaluation.cluster_faces import save_faces
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure, keys_in
from modules.metrics.cluster_scores import bcubed, pairwise, sweep
from modules.metrics.clustering import average_linkage, cut_at, cut_into, kmeans


class Task(EvaluationTask):
    question = "clustering"

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        return [
            Measure(f"{key}:{way}", f"{title} F, {way}", headline=way == "average linkage")
            for way in keys_in(found, "pairwise")
            for key, title in (("pairwise", "Pairwise"), ("bcubed", "BCubed"))
        ]


def rows(asked: Clustering) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.sort(asked.rows)


def evaluate(asked: Clustering, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Writes ``clusters.parquet``, and ``embeddings.npy`` (float32, unit length), row by row; with crops, ``cluster_faces``.

    ``k-means`` and ``average linkage`` are given the number of subjects; ``best threshold`` is average linkage cut where it
    agrees best with the ground truth: an oracle.
    """
    here = seen.has(asked.rows)
    places, subjects = seen.places(asked.rows[here]), asked.labels[here]
    units = seen.units[places]
    many = len(np.unique(subjects))
    merges = average_linkage(units)
    swept = sweep(merges, subjects)
    found = {
        "k-means": kmeans(units, many),
        "average linkage": cut_into(merges, many),
        "best threshold": cut_at(merges, swept.best()[1]),
    }
    metrics: dict[str, Any] = {"task": "clustering", "images": len(places), "subjects": many}
    for name, agree in (("pairwise", pairwise), ("bcubed", bcubed)):
        scores = {way: agree(groups, subjects) for way, groups in found.items()}
        metrics[name] = {way: {"value": one.f, "precision": one.precision, "recall": one.recall} for way, one in scores.items()}
    metrics["threshold"] = swept.best()[1]
    metrics["clusters"] = {way: len(np.unique(groups)) for way, groups in found.items()}
    columns = {"key": seen.keys(places), "subject": subjects, **found}
    pq.write_table(pa.table(columns), seen.folder / "clusters.parquet")
    np.save(seen.folder / "embeddings.npy", units.astype(np.float32))
    outputs: tuple[str, ...] = ("clusters.parquet", "embeddings.npy")
    if face := seen.face:
        outputs += save_faces(found["average linkage"], subjects, units, lambda row: face(int(places[row])), seen.folder)
    facts = {f"{name} {way}": metrics[name][way]["value"] for name in ("pairwise", "bcubed") for way in found}
    return EvaluationResult(metrics, facts | {"images": len(places), "dropped_images": int((~here).sum())}, outputs)
