"""Evaluation: one for each protocol of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from configs.component import Config
from configs.data_interfaces import ProtocolConfig
from grid.evaluation.task import evaluation_task, known_task
from grid.spec.finished import Finished
from grid.spec.measure import Measure
from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training
from grid.stages.kinds.detect import detection

METRICS, VERIFICATION = "metrics.json", "verification"
LOST = ("dropped_pairs", "dropped_probes", "dropped_gallery", "dropped_images", "missing_faces")


class Kind(StageKind):
    order = 30
    divisible = True
    computes = "grid.stages.evaluate"
    configs: ClassVar = {"training": Training, "protocol": "protocol"}

    def sources(self, configs: Iterable[Config]) -> set[str]:
        return {self.module, *(evaluation_task(one.task).module for one in configs if isinstance(one, ProtocolConfig))}

    def heading(self, label: StageName) -> str:
        return label.about

    def about(self, label: StageName) -> Mapping[str, str]:
        return {"protocol": label.about, "split": "test"}

    def summary(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return facts

    def result(self, stage: Finished) -> Mapping[str, Any] | None:
        """None after a quick check of a task that yields no numbers on a few images."""
        return stage.json(METRICS) if METRICS in stage.outputs else None

    def group(self, found: Sequence[Mapping[str, Any]]) -> str:
        """The task named in ``metrics.json``; before any evaluation, verification is assumed."""
        return str(found[0].get("task", VERIFICATION)) if found else VERIFICATION

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        return known_task(self.group(found)).measures(found)

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """The numbers shown in tables, and the number of lost images, if any: results with lost images are not comparable."""
        lost: dict[tuple[str, ...], Any] = {(stage.label.about, key): stage.facts[key] for key in LOST if stage.facts.get(key)}
        return {**super().logged(stage), **lost}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        about = stage.label.about
        tables = {
            "scores.parquet": ("scores", f"{about}.parquet"),
            "attributes.csv": ("metrics", f"{about}.csv"),
            "attribute_cohorts.csv": ("metrics", f"{about} cohorts.csv"),
        }
        return {**tables, METRICS: ("metrics", f"{about}.json")}

    def figures(self, stage: Finished) -> Mapping[tuple[str, ...], bytes]:
        """Those of the task, such as confusion matrices."""
        if (found := self.result(stage)) is None:
            return {}
        drawn = known_task(self.group([found])).figures(found)
        return {("metrics", f"{stage.label.about} {title}.png"): data for title, data in drawn.items()}

    def plan(self, graph: Graph) -> None:
        cell, facts = graph.cell, graph.facts
        for protocol in cell.protocols:
            assert isinstance(protocol, ProtocolConfig)
            data = facts.dataset(protocol)
            seen = detection(graph, data, cell.detector, protocol.title)
            identity = {
                "train": graph.train.id,
                "images": facts.images(data),
                "pairs": facts.pairs(protocol, cell),
                "flip_test": protocol.flip_test,
                **protocol.evaluation_identity(),
                **_own_task(protocol),
            } | ({"detect": seen.id} if seen else {})
            config = {"training": graph.training, "protocol": protocol}
            graph.add(StageName(self.name, protocol.title), identity, config, [graph.train, seen])


def _own_task(protocol: ProtocolConfig) -> dict[str, Any]:
    """What a user's task adds to the identity: its name and all settings, since only the built-in tasks are known to read none
    but those of ``evaluation_identity``.
    """
    return {"task": protocol.task, "protocol": protocol.identity()} if "." in protocol.task else {}
