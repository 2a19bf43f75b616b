"""Verification of image pairs: cosine scores, and all accuracies, rates and intervals derived from them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import Pairs, ProtocolConfig
from datamodules.evaluation_sets.formed_pairs import formed_pairs
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure, area_under_curve, rates
from modules.metrics.accuracy_modes import all_modes
from modules.metrics.operating_points import failure_to_enroll, operating_points
from modules.metrics.verification import verification
from modules.metrics.verifier import Verified, restricted, unrestricted

VERIFIERS: dict[str, dict[str, Any]] = {  # name in a grid file -> arguments of ``restricted``
    "both": {},
    "product": {"features": "product"},
    "siamese": {"features": "difference", "loss": "logistic"},  # Taigman et al., DeepFace, 2014, Section 4.2: one logistic unit
    "chi_square": {"features": "chi_square", "loss": "svm"},  # Section 4.1: weights from a linear SVM
}
SCORES, FORMED = "scores.parquet", "formed_pairs.parquet"


class Task(EvaluationTask):
    question = "pairs"
    pairs = True

    def sample(self, asked: Any, count: int) -> Any:
        """A few pairs of each kind, spread over all folds."""
        every = [np.flatnonzero(asked.same == same) for same in (True, False)]
        index = np.concatenate([pairs[:: max(1, len(pairs) // (count // 2))] for pairs in every])
        return dataclasses.replace(
            asked, left=asked.left[index], right=asked.right[index], same=asked.same[index], fold=asked.fold[index]
        )

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        from grid.spec.measure import CROSS_VALIDATED_TITLE  # here, so that the title is no part of the code that computes

        return [
            Measure("ten_fold", CROSS_VALIDATED_TITLE),
            Measure("best_threshold", "Accuracy, best threshold"),
            Measure("eer", "EER", lower_is_better=True),
            area_under_curve(found),
            *rates(found, "val", "VAL"),
        ]


def rows(asked: Pairs) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.unique(np.concatenate([asked.left, asked.right]))


def evaluate(asked: Pairs, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Writes ``scores.parquet``. Pairs with a face dropped by policy are excluded and counted.

    In the unrestricted setting, also writes ``formed_pairs.parquet``: scores of pairs formed from identities, see
    ``datamodules.evaluation_sets.formed_pairs``. Ensembles can be fitted on them.
    """
    whole = np.flatnonzero(seen.has(asked.left) & seen.has(asked.right))
    left, right = seen.places(asked.left[whole]), seen.places(asked.right[whole])
    same, fold = asked.same[whole], asked.fold[whole]
    if seen.scores is None:
        embeddings = seen.units[left], seen.units[right]
        scores = np.einsum("nd,nd->n", *embeddings).astype(np.float64)
    else:
        embeddings = None
        scores = seen.scores(seen.keys(left), seen.keys(right), same)
    who = np.array([seen.manifest.identities[row] for row in seen.rows])
    metrics = verification(scores, same, fold, subjects=(who[left], who[right]))
    metrics["subjects_in_several_folds"] = _in_several_folds(who[left], who[right], fold)
    metrics["modes"] = all_modes(scores, same, fold, embeddings)
    metrics |= _operating(asked, seen, whole, scores)
    columns = {"left": seen.keys(left), "right": seen.keys(right), "same": same, "fold": fold, "score": scores}
    if verified := _verified(seen, protocol, who, left, right, same, fold):
        metrics |= {"setting": verified.setting, "ten_fold": verified.accuracy}
        columns["verifier"] = verified.scores
    pq.write_table(pa.table(columns), seen.folder / SCORES)
    outputs = [SCORES]
    if getattr(protocol, "setting", "unsupervised") == "unrestricted":
        pq.write_table(pa.table(_formed(asked, seen)), seen.folder / FORMED)
        outputs.append(FORMED)
    facts = {key: metrics[key]["value"] for key in ("best_threshold", "ten_fold", "eer", "auc")}
    facts |= {"ten_fold_se": metrics["ten_fold"]["se"], "pairs": len(whole), "dropped_pairs": len(asked.left) - len(whole)}
    return EvaluationResult(metrics, facts, tuple(outputs))


def _formed(asked: Pairs, seen: Embedded) -> dict[str, Any]:
    """The columns of ``formed_pairs.parquet``, those of ``scores.parquet``, without pairs that lack a face."""
    every = formed_pairs(asked, seen.manifest.identities)
    whole = np.flatnonzero(seen.has(every.left) & seen.has(every.right))
    left, right = seen.places(every.left[whole]), seen.places(every.right[whole])
    scores = np.einsum("nd,nd->n", seen.units[left], seen.units[right]).astype(np.float64)
    keys = {"left": seen.keys(left), "right": seen.keys(right)}
    return {**keys, "same": every.same[whole], "fold": every.fold[whole], "score": scores}


def _operating(asked: Pairs, seen: Embedded, whole: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """``operating_points`` and ``failure_to_enroll``, over all pairs and images; or the reason why there are none."""
    subjects = np.asarray(seen.manifest.identities)
    every, failed = np.full(len(asked.left), np.nan), np.ones(len(asked.left), bool)
    every[whole], failed[whole] = scores, False
    images = rows(asked)
    lost = failure_to_enroll(~seen.has(images), subjects[images])
    try:
        found = operating_points(every, asked.same, subjects[asked.left], subjects[asked.right], failed=failed)
    except ValueError as error:  # too few subjects
        return {"operating_points": {}, "no_operating_points": str(error), "failure_to_enroll": lost}
    return {"operating_points": found, "failure_to_enroll": lost}


def _in_several_folds(left: np.ndarray, right: np.ndarray, fold: np.ndarray) -> int:
    """Number of subjects that are in the pairs of more than one fold; what is fitted on other folds has seen them."""
    pairs = set(zip(np.concatenate([left, right]).tolist(), np.concatenate([fold, fold]).tolist(), strict=True))
    return sum(count > 1 for count in Counter(subject for subject, _ in pairs).values())


def _verified(
    seen: Embedded,
    protocol: ProtocolConfig,
    who: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    same: np.ndarray,
    fold: np.ndarray,
) -> Verified | None:
    """The results of LFW's settings with a verifier; None for the unsupervised setting."""
    name = getattr(protocol, "setting", "unsupervised")
    if name == "restricted":
        return restricted(seen.units, left, right, same, fold, **VERIFIERS[getattr(protocol, "verifier", "both")])
    if name == "unrestricted":
        return unrestricted(seen.units, left, right, same, fold, who)
    return None
