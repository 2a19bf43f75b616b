"""Verification of template pairs: IJB's 1:1 protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import ProtocolConfig
from datamodules.evaluation_sets.templates import Comparisons, Templates
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure, area_under_curve, rates
from modules.metrics.pair_rates import connected
from modules.metrics.public_evaluators import corners, nearest
from modules.metrics.roc import Curve
from modules.metrics.subject_bootstrap import subject_bootstrap
from modules.metrics.templates import aggregate, score_pairs
from modules.metrics.verification import SUBJECT_BOOTSTRAP, SUBJECT_JACKKNIFE

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
POINTS = 2000  # number of points kept of the ROC curve
RESAMPLES = 200  # number of bootstrap resamples of subjects, for intervals
EXACT = 100_000  # this many of the highest scores are kept exactly in resamples; of the others,
BLOCK = 256  # this many form one level: with 15 million pairs that changes a FAR by at most 2e-5


class Task(EvaluationTask):
    question = "comparisons"
    fixed = True

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        return [*rates(found, "tar", "TAR", (1e-4,)), Measure("eer", "EER", lower_is_better=True), area_under_curve(found)]


def rows(asked: Comparisons) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.unique(asked.templates.rows)


def evaluate(asked: Comparisons, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Writes ``roc.parquet``. Templates whose faces were all dropped are excluded with their pairs, and counted.

    ``tar`` never exceeds its FAR; in addition, ``nearest`` is the operating point used by public evaluators, which may.
    """
    vectors, place = embedded_templates(asked.templates, seen, protocol)
    left, right = place[asked.left], place[asked.right]
    whole = np.flatnonzero((left >= 0) & (right >= 0))
    scores = score_pairs(vectors, left[whole], right[whole])
    curve = Curve.of(scores, asked.same[whole])
    rate, threshold = curve.eer()
    points = corners(curve)
    subjects, found = _intervals(scores, asked.same[whole], left[whole], right[whole], curve.impostor)
    metrics: dict[str, Any] = {
        "task": "templates",
        "pairs": curve.pairs,
        "genuine": curve.genuine,
        "impostor": curve.impostor,
        "templates": len(vectors),
        "tar": {f"{far:g}": _tar(curve, far, points) | found.get(f"{far:g}", {}) for far in FARS},
        "eer": {"value": rate, "threshold": threshold, **found.get("eer", {})},
        "auc": {"value": curve.auc(), **found.get("auc", {})},
        "subjects": subjects,
    }
    far, tar = curve.far, curve.tar
    kept = np.unique(np.searchsorted(far, np.logspace(-7, 0, POINTS), side="right").clip(1) - 1)
    columns = {"far": far[kept], "tar": tar[kept], "threshold": curve.thresholds[kept]}
    pq.write_table(pa.table(columns), seen.folder / "roc.parquet")
    facts = {f"tar@{far}": entry["value"] for far, entry in metrics["tar"].items() if entry["value"] is not None}
    facts |= {"eer": rate, "auc": metrics["auc"]["value"], "pairs": len(whole), "dropped_pairs": len(asked) - len(whole)}
    return EvaluationResult(metrics, facts, ("roc.parquet",))


def _intervals(
    scores: np.ndarray, same: np.ndarray, left: np.ndarray, right: np.ndarray, impostor: int
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(number of resampled subjects, or why there are no intervals; the interval of each number).

    The lists do not name the subject of a template, only which templates show one subject: the connected components of the
    genuine pairs are the subjects that the bootstrap resamples. Subjects with one template count too.
    """
    size = int(max(left.max(), right.max())) + 1
    _, who = connected(left[same], right[same], size)
    fars = [far for far in FARS if far >= 1 / impostor]
    try:
        drawn = subject_bootstrap(_levels(scores), same, who[left], who[right], fars=fars, resamples=RESAMPLES)
    except ValueError as error:  # too few subjects, or an impostor pair within a subject formed by genuine pairs
        return {"reason": str(error)}, {}
    ends = {"eer": drawn.eer, "auc": drawn.auc, **{f"{far:g}": drawn.val[far] for far in fars}}
    return (
        {"subjects": drawn.subjects, "resamples": drawn.resamples},
        {
            name: {"low": low, "high": high, "method": SUBJECT_JACKKNIFE if name == "auc" else SUBJECT_BOOTSTRAP}
            for name, (low, high) in ends.items()
        },
    )


def _levels(scores: np.ndarray) -> np.ndarray:
    """The scores, or numbers in the same order with few distinct levels if there are many scores; equal scores stay equal."""
    if len(scores) <= EXACT:
        return scores
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    first = np.where(np.append(True, falling[1:] != falling[:-1]), np.arange(len(scores)), 0)
    place = np.maximum.accumulate(first)  # index of the first of equal scores
    levels = np.empty(len(scores), np.float32)
    levels[order] = -(np.minimum(place, EXACT) + np.maximum(place - EXACT, 0) // BLOCK)
    return levels


def embedded_templates(templates: Templates, seen: Embedded, protocol: ProtocolConfig) -> tuple[np.ndarray, np.ndarray]:
    """(float64 (K, D) of unit length, int64 (T,): the row of each template, -1 if none of its faces is usable)."""
    here = seen.has(templates.rows)
    rows_here, template, media, weights = (
        array[here] for array in (templates.rows, templates.template, templates.media, templates.weights)
    )
    features = seen.vectors[seen.places(rows_here)].astype(np.float64, copy=False)
    norm = bool(getattr(protocol, "norm", False))
    numbers, vectors = aggregate(features, template, media, norm=norm, detector=weights)
    place = np.full(len(templates), -1, np.int64)
    place[numbers] = np.arange(len(numbers))
    return vectors, place


def _tar(curve: Curve, far: float, points: np.ndarray) -> dict[str, Any]:
    if far < 1 / curve.impostor:
        return {"value": None, "reason": f"{curve.impostor} impostor pairs cannot show a FAR of {far:g}"}
    value, threshold, found = curve.val(far)
    near = dict(zip(("value", "threshold", "far"), nearest(curve, far, points), strict=True))
    return {"value": value, "threshold": threshold, "far": found, "nearest": near}
