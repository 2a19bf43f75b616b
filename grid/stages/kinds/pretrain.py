"""Source pretraining, shared by every cell that starts from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grid.spec.finished import Finished
from grid.spec.measure import Measured
from grid.spec.stage_kind import Graph, StageName
from grid.stages.kinds import train
from grid.stages.kinds.detect import detection


class Kind(train.Kind):
    order = 10
    shared = True
    epochs_in = "pretraining"

    @property
    def curves(self) -> str:
        return f"Learning curves {self.name}"

    def heading(self, label: StageName) -> str:
        return self.name

    def result(self, stage: Finished) -> None:
        """None: tables show the networks that start from it."""

    def measured(self, stage: Finished) -> Iterable[Measured]:
        return ()

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        return {"history.json": ("pretrain", "history.json")}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ()

    def plan(self, graph: Graph) -> None:
        if source := graph.cell.source():
            seen = detection(graph, source.data, source.detector, "source")
            identity = train.training_identity(graph, source, seen, None)
            graph.add(StageName(self.name), identity, {"training": source}, [seen])
