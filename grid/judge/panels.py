"""What a judgment shows besides numbers: worst pairs, differences between cohorts, explanations, as parts of a grid file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from configs.data_interfaces import ProtocolConfig
from grid.evaluation.task import evaluation_task
from grid.judge.answers import evaluations
from grid.ledger.study import Study
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan
from grid.stages.extra.worst_pairs import worst

FAR = 0.01  # of all impostor pairs, where the list is long enough
FEW = 10  # impostor pairs that decide the threshold of the cohorts' rates, at least
METHOD = "corr_rise"  # sees the network as a black box


def worst_pairs(protocols: Sequence[ProtocolConfig]) -> list[dict[str, Any]]:
    """A stage for each protocol with pairs of images."""
    return [
        {"name": "worst_pairs", "label": f"worst pairs of {one.title}", "protocol": one.title}
        for one in protocols
        if evaluation_task(one.task).pairs
    ]


def differentials(plan: Plan, resolver: InputResolver) -> list[dict[str, Any]]:
    """A stage for each protocol with pairs of images whose dataset has labels with classes.

    The threshold is that of ``FAR``, or of the share that ``FEW`` of the impostor pairs are.
    """
    cell = next(one.cell for one in plan.cells if one.cell)
    found: list[dict[str, Any]] = []
    for protocol in cell.protocols:
        if not evaluation_task(protocol.task).pairs:
            continue
        if not any(classes for classes in resolver.label_classes(resolver.dataset(protocol)).values()):
            continue
        impostors = int((~resolver.kept_pairs(protocol, cell).same).sum())
        if impostors > FEW:
            far = max(FAR, FEW / impostors)
            label = f"cohorts of {protocol.title}"
            found.append({"name": "differentials", "label": label, "protocol": protocol.title, "far": far})
    return found


def explainers(study: Study, count: int) -> list[dict[str, Any]]:
    """Explanations of the worst pairs of every network under the first protocol with pairs, each pair once.

    Args:
        count: of pairs of each kind and network.
    """
    import pyarrow.parquet as pq

    chosen: dict[tuple[str, str], None] = {}
    first: str | None = None
    for _, protocol, marker in evaluations(study):
        first = first or protocol.title
        if protocol.title == first:
            table = pq.read_table(study.ledger.path(marker, "scores.parquet"))
            for genuine in (False, True):
                chosen |= dict.fromkeys((left, right) for left, right, _ in worst(table, genuine, count))
    if not chosen:
        return []
    keys = [key for pair in chosen for key in pair]
    return [{"name": METHOD, "label": "worst pairs", "protocol": first, "pairs": len(chosen), "chosen": keys}]
