"""What a judgment says besides the report: thresholds for a wished false match rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from configs.data_interfaces import ProtocolConfig
from grid.export.threshold import SCORES, scored_subjects
from grid.ledger.ledger import Marker
from grid.ledger.study import Study
from grid.spec.cell import Cell
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.held_out_threshold import held_out_threshold


@dataclass(frozen=True)
class Threshold:
    """The operating point of a network under a protocol, or the reason why there is none."""

    model: str
    protocol: str
    found: dict[str, Any] | None
    reason: str = ""

    @property
    def words(self) -> str:
        if self.found is None:
            return f"{self.model}, {self.protocol}: no threshold: {self.reason}"
        fmr, tmr = self.found["fmr"], self.found["tmr"]
        return (
            f"{self.model}, {self.protocol}: threshold {self.found['threshold']:.4f} for a false match rate of "
            f"{self.found['wished']:g}; on other subjects it is {fmr['value']:.2g} [{fmr['low']:.2g}, {fmr['high']:.2g}], "
            f"true match rate {tmr['value']:.4f} [{tmr['low']:.4f}, {tmr['high']:.4f}]"
        )


def evaluations(study: Study) -> Iterator[tuple[str, ProtocolConfig, Marker]]:
    """(title of the cell, protocol, marker) of each finished evaluation of pairs."""
    for view in study.cells:
        if view.hidden or not view.config:
            continue
        for protocol in Cell.model_validate(view.config).protocols:
            marker = view.markers.get(StageName(EVALUATE, protocol.title))
            if marker is not None and SCORES in marker.outputs:
                yield view.title, protocol, marker


def thresholds(study: Study, fmr: float) -> list[Threshold]:
    """See ``held_out_threshold``; one for each network and protocol with pairs of images."""
    found = []
    for title, protocol, marker in evaluations(study):
        try:
            left, right, same, scores = scored_subjects(study.ledger, marker, protocol)
            found.append(Threshold(title, protocol.title, held_out_threshold(scores, same, left, right, fmr)))
        except ValueError as error:
            found.append(Threshold(title, protocol.title, None, str(error)))
    return found
