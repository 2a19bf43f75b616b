"""Source pretraining, shared by every cell that starts from it."""

from __future__ import annotations

from typing import ClassVar

from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training
from grid.stages.kinds.detect import detection
from grid.stages.kinds.train import training_identity


class Kind(StageKind):
    order = 10
    shared = True
    leaf = False
    epochs = True
    computes = "grid.stages.pretrain"
    configs: ClassVar = {"training": Training}

    def plan(self, graph: Graph) -> None:
        if source := graph.cell.source():
            seen = detection(graph, source.data, source.detector, "source")
            identity = training_identity(graph, source, seen, None)
            graph.add(StageName("pretrain"), identity, {"training": source}, [seen])
