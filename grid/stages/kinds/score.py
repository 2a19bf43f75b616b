"""A score of an explanation: one for each score of each explainer of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from configs.explainers import ScoreConfig
from grid.spec.finished import Finished
from grid.spec.measure import Measured
from grid.spec.stage_kind import Graph, Stage, StageName
from grid.spec.stage_name import EXPLAIN
from grid.spec.training import Training
from grid.stages.kinds import explain

SCORE = "score.json"


class Kind(explain.Kind):
    order = 50
    maps = False
    computes = "grid.stages.score"
    configs: ClassVar = {"training": Training, "explainer": "explainer", "protocol": "protocol", "score": "score"}

    def measured(self, stage: Finished) -> Iterable[Measured]:
        """``sanity:auc`` for each map."""
        result = stage.json(SCORE)
        for name, entries in result.get("maps", {}).items():
            for key, entry in entries.items():
                yield Measured(f"{stage.label.titles[-1]}:{key}", entry, result.get("count"), map=name)

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """``explanations/gradcam.sanity.auc``; with several maps ``explanations/gradcam.sanity.S_plus.auc``."""
        result = stage.json(SCORE)
        found = {"missing": result["missing"]} if result.get("missing") else {}
        for name, entries in result.get("maps", {}).items():
            found |= {".".join(filter(None, (map_name(name), key))): entry["value"] for key, entry in entries.items()}
        return {("explanations", ".".join((*stage.label.titles, key))): value for key, value in found.items()}

    def tags(self, stage: Finished) -> Mapping[tuple[str, ...], str]:
        """``refused.gradcam.sanity``: why; ``flags.gradcam.sanity``: the warnings of each map, or "passed"."""
        result, titles = stage.json(SCORE), stage.label.titles
        if refused := result.get("refused"):
            return {("refused", *titles): explain.reason(refused)}
        if "flags" not in result:
            return {}
        several = len(result["flags"]) > 1
        found = [(one, ", ".join(flags)) for one, flags in result["flags"].items() if flags]
        return {("flags", *titles): "; ".join(f"{one}: {flags}" if several else flags for one, flags in found) or "passed"}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        explanation, score = stage.label.titles
        return {SCORE: ("explanations", explanation, f"{score}.json")}

    def plan(self, graph: Graph) -> None:
        explanations = {stage.label: stage for stage in graph.of(EXPLAIN)}
        for explainer in graph.cell.explainers:
            made = explanations[StageName(EXPLAIN, explainer.title)]
            needs: dict[str, Stage | None] = {EXPLAIN: made}
            needs |= {str(stage.label): stage for stage in graph.stages if stage.id in made.needs}
            for score in explainer.scores:
                assert isinstance(score, ScoreConfig)
                identity = {"explain": made.id, "score": score.identity()}
                label = StageName(self.name, explainer.title, score.title)
                graph.add(label, identity, {**made.config, "score": score}, needs)


def map_name(name: str) -> str:
    """S+ and S- as distinct names that tracking accepts: S_plus, S_minus."""
    return re.sub(r"-$", "_minus", re.sub(r"\+$", "_plus", name))
