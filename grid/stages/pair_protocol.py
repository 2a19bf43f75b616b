"""Which protocol's pairs a stage is about."""

from __future__ import annotations

from configs.data_interfaces import ProtocolConfig
from configs.lookup import nearest
from grid.evaluation.task import evaluation_task
from grid.spec.stage_kind import Graph


def chosen_protocol(graph: Graph, stage: str, protocol: str | None) -> ProtocolConfig:
    """The protocol of that title; None: the first one with pairs of images.

    Args:
        stage: its title, for messages.

    Raises:
        ValueError: it is unknown, or no protocol has pairs of images.
    """
    known = {one.title: one for one in graph.cell.protocols if evaluation_task(one.task).pairs}
    if protocol is None and known:
        return next(iter(known.values()))
    if protocol not in known:
        what = "the grid has no protocol with pairs of images" if protocol is None else (
            f"protocol {protocol!r} is no protocol with pairs of images{nearest(protocol, known)}"
        )  # fmt: skip
        raise ValueError(f"stage {stage}: {what}")
    return known[protocol]
