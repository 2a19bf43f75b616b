"""A score of an explanation: one for each score of each explainer of a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from configs.explainers import ScoreConfig
from grid.spec.finished import Finished
from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training

SCORE = "score.json"


class Kind(StageKind):
    order = 50
    computes = "grid.stages.score"
    configs: ClassVar = {"training": Training, "explainer": "explainer", "protocol": "protocol", "score": "score"}

    def result(self, stage: Finished) -> None:
        """None: reports have separate tables for scores."""

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """``explanations/gradcam.sanity.auc``; with several maps ``explanations/gradcam.sanity.S_plus.auc``."""
        result = stage.json(SCORE)
        found = {"missing": result["missing"]} if result.get("missing") else {}
        for name, entries in result.get("maps", {}).items():
            found |= {".".join(filter(None, (map_name(name), key))): entry["value"] for key, entry in entries.items()}
        return {("explanations", ".".join((*stage.label.titles, key))): value for key, value in found.items()}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        explanation, score = stage.label.titles
        return {SCORE: ("explanations", explanation, f"{score}.json")}

    def plan(self, graph: Graph) -> None:
        explanations = {stage.label: stage for stage in graph.of("explain")}
        for explainer in graph.cell.explainers:
            made = explanations[StageName("explain", explainer.title)]
            needs = [made, *(stage for stage in graph.stages if stage.id in made.needs)]
            for score in explainer.scores:
                assert isinstance(score, ScoreConfig)
                identity = {"explain": made.id, "score": score.identity()}
                label = StageName("score", explainer.title, score.title)
                graph.add(label, identity, {**made.config, "score": score}, needs)


def map_name(name: str) -> str:
    """S+ and S- as distinct names that tracking accepts: S_plus, S_minus."""
    return re.sub(r"-$", "_minus", re.sub(r"\+$", "_plus", name))
