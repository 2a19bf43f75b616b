"""An evaluation: one for each protocol of a cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from configs.component import Config
from configs.interfaces import ProtocolConfig
from grid.evaluation.task import evaluation_task
from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training
from grid.stages.kinds.detect import detection


class Kind(StageKind):
    order = 30
    computes = "grid.stages.evaluate"
    configs: ClassVar = {"training": Training, "protocol": "protocol"}

    def sources(self, configs: Iterable[Config]) -> set[str]:
        return {self.module, *(evaluation_task(one.task).module for one in configs if isinstance(one, ProtocolConfig))}

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
            } | ({"detect": seen.id} if seen else {})
            config = {"training": cell.training(), "protocol": protocol}
            graph.add(StageName("evaluate", protocol.title), identity, config, [graph.train, seen])
