"""What a judgment says besides the report: thresholds for a wished false match rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from configs.data_interfaces import ProtocolConfig
from grid.export.threshold import SCORES, scored_subjects
from grid.ledger.ledger import Marker
from grid.ledger.study import Study
from grid.spec.cell import Cell
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.held_out_threshold import held_out_threshold

CURVE = "roc.parquet"


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
        start = (
            f"{self.model}, {self.protocol}: threshold {self.found['threshold']:.4f} for a false match rate of "
            f"{self.found['wished']:g}"
        )
        if "measured_on" not in self.found:
            return (
                f"{start}; chosen and measured on all {self.found['impostor']:,} impostor pairs, it is {fmr['value']:.2g}, "
                f"true match rate {tmr['value']:.4f}"
            )
        return (
            f"{start}; on other subjects it is {fmr['value']:.2g} [{fmr['low']:.2g}, {fmr['high']:.2g}], "
            f"true match rate {tmr['value']:.4f} [{tmr['low']:.4f}, {tmr['high']:.4f}]"
        )


def evaluations(study: Study) -> Iterator[tuple[str, ProtocolConfig, Marker]]:
    """(title of the cell, protocol, marker) of each finished evaluation of pairs of images."""
    return (one for one in _finished(study) if SCORES in one[2].outputs)


def thresholds(study: Study, fmr: float) -> list[Threshold]:
    """One for each network and protocol.

    With the scores of pairs of images, the threshold is chosen on some subjects and measured on others, see
    ``held_out_threshold``. With a curve alone, as of IJB's templates or of all pairs, it is chosen and measured on all pairs.
    """
    found = []
    for title, protocol, marker in _finished(study):
        try:
            if SCORES in marker.outputs:
                left, right, same, scores = scored_subjects(study.ledger, marker, protocol)
                point = held_out_threshold(scores, same, left, right, fmr)
            elif CURVE in marker.outputs:
                point = _of_curve(study, marker, fmr)
            else:
                raise ValueError(
                    f"{protocol.task} compares no pairs one to one, and a false match rate is a share of impostor pairs"
                )
            found.append(Threshold(title, protocol.title, point))
        except ValueError as error:
            found.append(Threshold(title, protocol.title, None, str(error)))
    return found


def _finished(study: Study) -> Iterator[tuple[str, ProtocolConfig, Marker]]:
    for view in study.shown:
        for protocol in Cell.model_validate(view.config).protocols if view.config else ():
            marker = view.markers.get(StageName(EVALUATE, protocol.title))
            if marker is not None:
                yield view.title, protocol, marker


def _of_curve(study: Study, marker: Marker, fmr: float) -> dict[str, Any]:
    """The last point of the kept curve whose false match rate is at most ``fmr``.

    Returns:
        ``threshold`` (accept if score >= threshold), ``wished``, ``fmr`` and ``tmr`` with a ``value``, and the number of
        ``genuine`` and ``impostor`` pairs, which chose it and measure it

    Raises:
        ValueError: the pairs cannot show such a rate; says which they can.
    """
    import pyarrow.parquet as pq

    from modules.metrics.validation import at_least

    if not 0 < fmr < 1:
        raise ValueError(f"a false match rate is between 0 and 1, such as 0.001; found {fmr:g}")
    metrics = study.ledger.json(marker, "metrics.json")
    if fmr * metrics["impostor"] < 1:
        raise ValueError(
            f"{metrics['impostor']} impostor pairs cannot show a false match rate of {fmr:g}; ask for "
            f"{at_least(1 / metrics['impostor'])} or more, or evaluate more pairs"
        )
    curve = pq.read_table(study.ledger.path(marker, CURVE)).to_pydict()
    points = zip(curve["far"], curve["tar"], curve["threshold"], strict=True)
    usable = [point for point in points if point[0] <= fmr and isfinite(point[2])]
    if not usable:
        raise ValueError(f"the highest impostor scores are equal, so no threshold has a false match rate of {fmr:g} or less")
    far, tar, threshold = max(usable, key=lambda point: (point[0], point[1]))
    counts = {kind: metrics[kind] for kind in ("genuine", "impostor")}
    return {"threshold": threshold, "wished": fmr, "fmr": {"value": far}, "tmr": {"value": tar}, **counts}
