"""All-to-all verification: TAR at false match rates down to 1e-6, EER and AUC over all pairs of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import ProtocolConfig
from datamodules.evaluation_sets.templates import Clustering
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure, area_under_curve, rates
from modules.metrics.all_pairs import all_pairs

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
POINTS = 2000  # of the curve that are kept


class Task(EvaluationTask):
    question = "clustering"

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        eer = Measure("eer", "EER", lower_is_better=True)
        return [*rates(found, "tar", "TAR", (1e-3, 1e-6)), eer, area_under_curve(found)]


def rows(asked: Clustering) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.sort(asked.rows)


def evaluate(asked: Clustering, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Writes ``roc.parquet``. Images whose face was dropped are excluded, and counted. There are no intervals."""
    here = seen.has(asked.rows)
    curve = all_pairs(seen.units[seen.places(asked.rows[here])], asked.labels[here])
    rate, threshold = curve.eer()
    metrics: dict[str, Any] = {
        "task": "all_pairs",
        "images": int(here.sum()),
        "pairs": curve.pairs,
        "genuine": curve.genuine,
        "impostor": curve.impostor,
        "tar": {},
        "eer": {"value": rate, "threshold": threshold},
        "auc": {"value": curve.auc()},
    }
    for far in FARS:
        if far < 1 / curve.impostor:
            reason = f"{curve.impostor} impostor pairs cannot show a FAR of {far:g}"
            metrics["tar"][f"{far:g}"] = {"value": None, "reason": reason}
        else:
            metrics["tar"][f"{far:g}"] = dict(zip(("value", "threshold", "far"), curve.val(far), strict=True))
    wanted = np.logspace(-7, 0, POINTS)
    wanted = wanted[wanted >= 1 / curve.impostor]
    points = [curve.val(float(far)) for far in wanted]
    columns = {name: [point[place] for point in points] for place, name in enumerate(("tar", "threshold", "far"))}
    pq.write_table(pa.table(columns), seen.folder / "roc.parquet")
    facts = {f"tar@{far}": entry["value"] for far, entry in metrics["tar"].items() if entry["value"] is not None}
    facts |= {"eer": rate, "auc": metrics["auc"]["value"], "pairs": curve.pairs, "dropped_images": int((~here).sum())}
    return EvaluationResult(metrics, facts, ("roc.parquet",))
