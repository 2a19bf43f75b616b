"""Stages about the pairs of a protocol: which protocol that is, and the scores of its evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from configs.data_interfaces import ProtocolConfig
from configs.lookup import nearest
from grid.evaluation.task import evaluation_task
from grid.spec.stage_kind import Graph, Stage, StageKind
from grid.spec.stage_name import EVALUATE, StageName


class PairsKind(StageKind):
    """A kind of stage that reads the scores of a finished evaluation; its settings name the ``protocol``."""

    order = 60
    device = False
    configs: ClassVar = {"settings": "stage", "protocol": "protocol"}

    def plan(self, graph: Graph) -> None:
        for settings, label in self.asked(graph):
            protocol, evaluated = chosen_evaluation(graph, settings.title, settings.protocol)
            identity = {"evaluate": evaluated.id, "settings": settings.identity(), **self.reads_also(graph, settings, protocol)}
            graph.add(label, identity, {"settings": settings, "protocol": protocol}, {EVALUATE: evaluated})

    def reads_also(self, graph: Graph, settings: Any, protocol: ProtocolConfig) -> Mapping[str, Any]:
        """What else identifies the result: by default nothing."""
        return {}


def chosen_evaluation(graph: Graph, stage: str, protocol: str | None) -> tuple[ProtocolConfig, Stage]:
    """The protocol of that title, or the first one with pairs of images if it is None, and the stage that evaluates it.

    Args:
        stage: its title, for messages.

    Raises:
        ValueError: it is unknown, or no protocol has pairs of images.
    """
    known = {one.title: one for one in graph.cell.protocols if evaluation_task(one.task).pairs}
    if protocol is None:
        protocol = next(iter(known), None)
    if protocol not in known:
        what = "the grid has no protocol with pairs of images" if protocol is None else (
            f"protocol {protocol!r} is no protocol with pairs of images{nearest(protocol, known)}"
        )  # fmt: skip
        raise ValueError(f"stage {stage}: {what}")
    chosen = known[protocol]
    (evaluated,) = [one for one in graph.of(EVALUATE) if one.label == StageName(EVALUATE, chosen.title)]
    return chosen, evaluated
