"""One row of the long table of results: one number of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = (
    "cell", "replicate", "stage", "protocol", "explainer", "map", "split", "metric", "value", "low", "high", "se", "sd",
    "interval", "n", "reason", "stage_id",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One number and its origin. Fractions and rates are from 0 to 1; durations are in seconds.

    Attributes:
        cell: id of the cell; None for several cells combined.
        factors: axis -> level, without the replicate.
        replicate: its number; None if the grid has no replicates.
        stage: kind of the stage, such as ``train`` or ``evaluate``.
        metric: ``ten_fold``, ``best_threshold``, ``eer``, ``val:0.001``, ``seconds``, ...
        value: None if it could not be computed; see ``reason``.
        low, high: the 95 % interval.
        se: the standard error, if there is one.
        sd: the standard deviation over folds, if it is given instead.
        interval: how the interval was computed, such as "subject bootstrap".
        n: the number of pairs, probes or images it was computed from.
        protocol: of an evaluation; for a user-defined stage, its label.
        explainer, map: of an explanation metric; ``map`` is empty for methods with one map.
        split: ``train``, ``validation`` or ``test``.
        stage_id: a stage shared by several cells has one id, and is one computation.
        heading: the heading of its stage's columns in printed tables; None for durations. Not a column of the long table.
        seeds_low, seeds_high: of a mean over replicates, its 95 % interval over replicates. Not columns of the long table.
        replicates: of such a mean, their number.
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
    sd: float | None = None
    interval: str | None = None
    n: int | None = None
    reason: str | None = None
    protocol: str | None = None
    explainer: str | None = None
    map: str | None = None
    split: str | None = None
    stage_id: str | None = None
    heading: str | None = None
    seeds_low: float | None = None
    seeds_high: float | None = None
    replicates: int | None = None

    @property
    def half(self) -> float:
        """The larger half-width of the interval; 0 if there is none."""
        if self.value is None or self.low is None or self.high is None:
            return 0.0
        return max(self.high - self.value, self.value - self.low)
