"""A study's analysis as evidence for claims."""

from __future__ import annotations

from collections.abc import Sequence

from grid.analysis.analysis import ProtocolAnalysis
from grid.analysis.claim_verdicts import Evidence


def study_evidence(found: Sequence[ProtocolAnalysis]) -> list[Evidence]:
    """Every metric of every protocol, in the order of the report."""
    return [
        Evidence(
            metric.column,
            protocol.axes,
            protocol.cells,
            metric.contrasts,
            _basis(protocol, metric.contrasts.drawn is not None),
            [levels for levels, state in protocol.missing if state != "skipped"],
        )
        for protocol in found
        for metric in protocol.metrics
    ]


def _basis(protocol: ProtocolAnalysis, scored: bool) -> str:
    items = "other pairs of images" if protocol.unknown else "other test subjects"
    seeds = "other seeds" if min(protocol.replicates) > 1 else "other seeds of those cells that have several replicates"
    if scored and protocol.seeds:
        return f"{items} and {seeds}"
    if scored:
        return f"{items}, with these trained networks"
    return f"{seeds}, on these test items" if protocol.seeds else ""
