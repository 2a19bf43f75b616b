"""The scores of explanations in a study, finished or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.ledger.added_explanations import entries
from grid.ledger.study import Study
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN, SCORE, StageName

FILE = "score.json"
COSINE = "cosine"  # the number of insertion and deletion that every map of a pair method has


@dataclass(frozen=True)
class Scored:
    """One score of one explainer in one cell.

    Attributes:
        result: ``score.json``; None if the stage is not finished
        state: "done", "refused", "failed" or "unfinished"
        reason: why it is not done; for a refusal including its code
        of: the kind of probes to explain: "images", "pairs", or "pairs of" a protocol named by the explainer
        seconds: spent by the method alone, for all its probes; None if it is not finished
    """

    row: Row
    method: str
    score: str
    result: Mapping[str, Any] | None
    state: str
    reason: str | None
    of: str
    seconds: float | None = None


def explanation_scores(study: Study, rows: Sequence[Row]) -> list[Scored]:
    """Every score stage of the shown cells, finished or not."""
    return [_scored(study, row, label) for row in rows for label in row.cell.names if label.kind == SCORE]


def lower_is_better(result: Mapping[str, Any], number: str, map: str) -> bool:
    """Whether a lower number means a better map.

    Pixels that make two images different lower their cosine: of maps of the difference, a lower cosine is better in
    insertion, and a higher one in deletion.
    """
    reverse = number == COSINE and map in result.get("difference_maps", ())
    return (number in result.get("lower_is_better", ())) != reverse


def explained_images(study: Study, one: Scored) -> list[dict[str, Any]]:
    """The images of a score's explanation, as in its manifest; empty if the explanation is damaged."""
    marker = one.row.markers.get(StageName(EXPLAIN, one.method))
    images: list[dict[str, Any]] = [] if marker is None else study.ledger.json(marker, "manifest.json")["images"]
    return images


def _scored(study: Study, row: Row, label: StageName) -> Scored:
    method, score = label.titles
    explanation = StageName(EXPLAIN, method)
    result: Mapping[str, Any] | None = None
    state, reason = "unfinished", "still to run"
    if label in row.markers:
        result, state, reason = study.ledger.json(row.markers[label], FILE), "done", ""
        assert result is not None
        if refused := result.get("refused"):
            state, reason = "refused", f"{refused['code']}: {refused['reason']}"
    elif failure := row.cell.failures.get(label) or row.cell.failures.get(explanation):
        state, reason = "failed", failure.error
    explained = row.markers.get(explanation)
    seconds = explained.facts.get("seconds") if explained else None
    return Scored(row, method, score, result, state, reason or None, _of(study, row, explanation), seconds)


def _of(study: Study, row: Row, explanation: StageName) -> str:
    """The kind of probes according to the explainer's config, so that unfinished and refused scores are in the right table."""
    added = [one.explainer for one in entries(study.record) if one.label == explanation]
    for config in (*row.cell.config.get("explainers", ()), *added):
        if (config.get("label") or config["name"]) == explanation.about:
            named = f" of {config['protocol']}" if config.get("protocol") else ""
            return f"pairs{named}" if config.get("pairs") else "images"
    return "images"
