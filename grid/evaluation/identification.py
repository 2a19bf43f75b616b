"""Identification of probes in galleries: closed-set CMC, open-set DIR at FAR."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import ProtocolConfig
from datamodules.evaluation_sets.templates import Identification
from grid.evaluation.evaluator import Embedded, EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.evaluation.templates import embedded_templates
from grid.spec.measure import Measure, keys_in, rates
from modules.metrics.identification import Search, cmc, dir_at_far, search
from modules.metrics.identification_intervals import identification_intervals
from modules.metrics.public_identification import Joined, joined_search, pfe

RANKS = (1, 5, 10)
FARS = (0.1, 0.01, 0.001)
PROBE_SUBJECTS = "bootstrap over probe subjects"  # how the intervals are made


class Task(EvaluationTask):
    question = "identification"

    def placed(self, asked: Any, rows: np.ndarray) -> Any:
        return dataclasses.replace(asked, templates=super().placed(asked.templates, rows))

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        ranks = [Measure(f"cmc:{rank}", f"Rank {rank}", headline=rank == "1") for rank in keys_in(found, "cmc")]
        return [*ranks, *rates(found, "dir", "DIR", (1e-2,))]


def rows(asked: Identification) -> np.ndarray:
    """The requested rows of the manifest, ascending."""
    return np.unique(asked.templates.rows)


def evaluate(asked: Identification, seen: Embedded, protocol: ProtocolConfig) -> EvaluationResult:
    """Writes ``searches.parquet``: the search result of each probe. Numbers are means over the galleries, as IJB has two.

    Intervals resample the subjects of the probes, see ``identification_intervals``.
    """
    vectors, place = embedded_templates(asked.templates, seen, protocol)
    labels = asked.templates.labels
    probes = asked.probes[place[asked.probes] >= 0]
    found = []
    for gallery in asked.galleries:
        held = gallery[place[gallery] >= 0]
        found.append(search(vectors[place[held]], labels[held], vectors[place[probes]], labels[probes]))
    subjects, ends = _intervals(found, labels[probes])
    metrics: dict[str, Any] = {
        "task": "identification",
        "probes": len(probes),
        "galleries": [int((place[gallery] >= 0).sum()) for gallery in asked.galleries],
        "mated": [int(one.mated.sum()) for one in found],
        "cmc": {str(rank): _rank(found, rank) | ends.get(rank, {}) for rank in RANKS},
        "dir": {f"{far:g}": _open(found, far) | ends.get(far, {}) for far in FARS},
        "subjects": subjects,
    }
    held = np.concatenate([gallery[place[gallery] >= 0] for gallery in asked.galleries])
    every, asking = ((vectors[place[some]], labels[some]) for some in (held, probes))
    metrics["readings"] = _readings(metrics, found, every, asking)
    columns = {
        "gallery": np.repeat(np.arange(1, len(found) + 1), len(probes)),
        "template": np.tile(asked.templates.numbers[probes], len(found)),
        **{name: np.concatenate([getattr(one, name) for one in found]) for name in ("mated", "top", "mate", "above")},
    }
    pq.write_table(pa.table(columns), seen.folder / "searches.parquet")
    facts = {f"rank{rank}": entry["value"] for rank, entry in metrics["cmc"].items()}
    facts |= {f"dir@{far}": entry["value"] for far, entry in metrics["dir"].items() if entry["value"] is not None}
    # A subject without a usable gallery face is non-mated for this gallery, so the number of lost faces must be reported.
    lost = sum(int((place[gallery] < 0).sum()) for gallery in asked.galleries)
    facts |= {"probes": len(probes), "dropped_probes": len(asked.probes) - len(probes), "dropped_gallery": lost}
    return EvaluationResult(metrics, facts, ("searches.parquet",))


def _readings(
    metrics: Mapping[str, Any],
    found: list[Search],
    gallery: tuple[np.ndarray, np.ndarray],
    probes: tuple[np.ndarray, np.ndarray],
) -> dict[str, Any]:
    """Ranks and DIR as public evaluators compute them; a null value and the reason where one cannot.

    Args:
        metrics: with the exact ones.
        found: the search in each gallery.
        gallery, probes: embeddings and subjects, of all galleries together.
    """
    joined, why = None, ""
    try:
        joined = joined_search(*gallery, *probes, max(FARS))
    except ValueError as error:  # a probe without a mate, as in other open sets than IJB's
        why = str(error)

    def read(value: Callable[[], float]) -> dict[str, Any]:
        try:
            return {"value": value()}
        except ValueError as error:
            return {"value": None, "reason": str(error)}

    def of_joined(value: Callable[[Joined], float]) -> dict[str, Any]:
        return {"value": None, "reason": why} if joined is None else {"value": value(joined)}

    def exact(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {key: entry[key] for key in ("value", "reason") if key in entry}

    ranks = {str(rank): of_joined(lambda one, rank=rank: one.cmc(rank)) for rank in RANKS}  # type: ignore[misc]
    errors = {
        f"{far:g}": {
            "pfe": read(lambda far=far: pfe(found, far)[0]),  # type: ignore[misc]
            "insightface": of_joined(lambda one, far=far: one.dir_at_far(far)[0]),  # type: ignore[misc]
        }
        for far in FARS
    }
    return {
        "cmc": {rank: {"exact": exact(metrics["cmc"][rank]), "joined": one} for rank, one in ranks.items()},
        "dir": {far: {"exact": exact(metrics["dir"][far]), **one} for far, one in errors.items()},
    }


def _intervals(found: list[Search], who: np.ndarray) -> tuple[dict[str, Any], dict[Any, dict[str, Any]]]:
    """What the intervals are of, and the ends of each rank and FAR; a reason and nothing where subjects are too few."""
    fars = [far for far in FARS if not _hidden(found, far)]
    try:
        drawn = identification_intervals(found, who, RANKS, fars)
    except ValueError as error:
        return {"reason": str(error)}, {}
    ends: dict[Any, tuple[float, float]] = {**drawn.cmc, **drawn.dir}
    return (
        {"subjects": drawn.subjects, "resamples": drawn.resamples},
        {key: {"low": low, "high": high, "method": PROBE_SUBJECTS} for key, (low, high) in ends.items()},
    )


def _rank(found: list[Search], rank: int) -> dict[str, Any]:
    return {"value": float(np.mean([cmc(one, [rank])[rank] for one in found])), "low": None, "high": None}


def _hidden(found: list[Search], far: float) -> str:
    """Why there is no DIR at that FAR; empty if there is one."""
    fewest = min(int((~one.mated).sum()) for one in found)
    return f"{fewest} probes of unseen subjects cannot show a FAR of {far:g}" if fewest * far < 1 else ""


def _open(found: list[Search], far: float) -> dict[str, Any]:
    if reason := _hidden(found, far):
        return {"value": None, "reason": reason}
    parts = [dir_at_far(one, far) for one in found]
    return {"value": float(np.mean([part[0] for part in parts])), "low": None, "high": None, "far": [part[2] for part in parts]}
