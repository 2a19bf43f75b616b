"""The end of a search: the choice of the best trial, by validation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from grid.spec.finished import Finished
from grid.spec.search import Search
from grid.spec.stage_kind import Graph, StageKind
from grid.spec.stage_name import SEARCH, TRIAL


class Kind(StageKind):
    order = 15
    device = False
    shared = True
    leaf = False
    computes = "grid.stages.search"
    configs: ClassVar = {"search": Search}

    def result(self, stage: Finished) -> None:
        """None: tables show the network that has the chosen layers; the report has a table of trials."""

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ()

    def plan(self, graph: Graph) -> None:
        search = graph.cell.search
        if search is None:
            return
        trials = graph.of(TRIAL)
        identity = {"trials": [stage.id for stage in trials], "metric": search.metric}
        needs = {f"trial {number}": stage for number, stage in enumerate(trials)}
        graph.add(SEARCH, identity, {"search": search}, needs)
