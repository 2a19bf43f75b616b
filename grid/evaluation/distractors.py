"""Identification among a growing number of distractors: rank 1 and 10 by the size of the gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.data_interfaces import ProtocolConfig
from datamodules.evaluation_sets.templates import Clustering
from datamodules.split import draw
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure, keys_in
from modules.metrics.distractors import ranks
from modules.metrics.pair_rates import PairRate

RANKS = (1, 10)
METHOD = "probe subjects"


class Task(EvaluationTask):
    question = "clustering"

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        sizes = keys_in(found, "rank1", falling=True)
        return [
            Measure(f"rank{rank}:{size}", f"Rank {rank} @ {int(size):,} distractors", headline=rank == 1 and size == sizes[0])
            for rank in RANKS
            for size in reversed(sizes)
        ]


def rows(asked: Clustering) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.sort(asked.rows)


def evaluate(asked: Clustering, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Images whose face was dropped are excluded, and counted; a probe subject that keeps one image is no distractor.

    Intervals are over probe subjects.
    """
    probe = np.bincount(asked.labels)[asked.labels] > 1
    here = seen.has(asked.rows)
    distractors = asked.rows[here & ~probe]
    seed = getattr(protocol, "seed", 0)
    joining = sorted(distractors.tolist(), key=lambda row: draw(seed, seen.manifest.keys[row]))
    images, labels = asked.rows[here & probe], asked.labels[here & probe]
    several = np.bincount(labels)[labels] > 1
    images, labels = images[several], labels[several]
    if not joining or not len(images):
        raise ValueError(
            f"protocol {protocol.title}: of {len(here)} images, {int((~here).sum())} were left out for want of a face, which "
            f"leaves {len(images)} of probe subjects and {len(joining)} distractors; set detector.on_missing_face: center_crop"
        )
    sizes = sizes_of(getattr(protocol, "sizes", ()), len(joining))
    asking, ahead = ranks(seen.units[seen.places(images)], labels, seen.units[seen.places(np.array(joining))], sizes)
    who = labels[asking]
    metrics: dict[str, Any] = {
        "task": "distractors",
        "probe_subjects": len(np.unique(labels)),
        "searches": len(asking),
        "distractors": len(joining),
    }
    for rank in RANKS:
        metrics[f"rank{rank}"] = {
            str(size): _entry(PairRate.of(ahead[:, place] < rank, who, who)) for place, size in enumerate(sizes)
        }
    facts = {f"rank1@{size}": entry["value"] for size, entry in metrics["rank1"].items()}
    facts |= {"searches": len(asking), "dropped_images": int((~here).sum())}
    return EvaluationResult(metrics, facts, ())


def sizes_of(stated: Sequence[int], count: int) -> list[int]:
    """The stated sizes that there are distractors for; without any, 10, 100, 1,000, ... and all of them."""
    usual = [10**power for power in range(1, 10) if 10**power < count]
    return sorted({min(size, count) for size in stated}) if stated else [*usual, count]


def _entry(rate: PairRate) -> dict[str, Any]:
    low, high = rate.interval
    return {"value": rate.value, "low": low, "high": high, "method": METHOD, "n": rate.pairs}
