"""One line of the long table of results: one number of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = (
    "cell", "replicate", "stage", "protocol", "explainer", "map", "split", "metric", "value", "low", "high", "se", "interval",
    "n", "reason", "stage_id",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One number, and where it comes from. Shares and rates are from 0 to 1; durations are in seconds.

    Attributes:
        cell: id of the cell; None for several cells taken together.
        factors: axis -> level, without the replicate.
        replicate: its number; None where the grid has no replicates.
        stage: kind of the stage, such as ``train`` or ``evaluate``.
        metric: ``ten_fold``, ``best_threshold``, ``eer``, ``val:0.001``, ``seconds``, ...
        value: None where it could not be computed; ``reason`` says why.
        low, high: the 95 % interval.
        se: the standard error, where there is one.
        interval: how the interval was computed, such as "subject bootstrap".
        n: how many pairs, probes or images it was computed from.
        protocol: of an evaluation; of a stage of a user's own kind, its label.
        explainer, map: of an explanation metric; ``map`` is empty for methods with one map.
        split: ``train``, ``validation`` or ``test``.
        stage_id: stages that several cells share have one id, and are one computation.
        heading: what stands over its column in printed tables; None: they do not show it. No column of the long table.
    """

    cell: str | None
    factors: Mapping[str, str]
    replicate: int | None
    stage: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    interval: str | None = None
    n: int | None = None
    reason: str | None = None
    protocol: str | None = None
    explainer: str | None = None
    map: str | None = None
    split: str | None = None
    stage_id: str | None = None
    heading: str | None = None

    @property
    def half(self) -> float:
        """The wider side of the interval; 0 where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return 0.0
        return max(self.high - self.value, self.value - self.low)
