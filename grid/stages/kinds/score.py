"""A score of an explanation: one for each score of each explainer of a cell."""

from __future__ import annotations

from typing import ClassVar

from configs.explainers import ScoreConfig
from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training


class Kind(StageKind):
    order = 50
    computes = "grid.stages.score"
    configs: ClassVar = {"training": Training, "explainer": "explainer", "protocol": "protocol", "score": "score"}

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
