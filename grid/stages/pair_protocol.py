"""Which protocol's pairs a stage is about, and their evaluation."""

from __future__ import annotations

from configs.data_interfaces import ProtocolConfig
from configs.lookup import nearest
from grid.evaluation.task import evaluation_task
from grid.spec.stage_kind import Graph, Stage
from grid.spec.stage_name import EVALUATE, StageName


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
