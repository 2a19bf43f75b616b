"""A measurement, its noise, and how both are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.evaluation.task import known_task
from grid.spec.measure import Measure

CROSS_VALIDATED, BEST_THRESHOLD = "ten_fold", "best_threshold"  # the two accuracies, as metrics.json names them
VERIFICATION = "verification"  # the task of protocols with pairs of images


@dataclass(frozen=True)
class Value:
    """A measurement and its 95 % interval: shares from 0 to 1. ``value`` is None where there is none; ``reason`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    reason: str | None = None
    method: str | None = None  # how the interval was computed

    @property
    def half(self) -> float:
        """The wider side of the interval; 0 where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return 0.0
        return max(self.high - self.value, self.value - self.low)


@dataclass(frozen=True)
class Column:
    """One measurement under one protocol."""

    protocol: str
    key: str  # of metrics.json: best_threshold, ten_fold, eer, auc, val:<far>, or what other tasks have
    title: str
    percent: bool
    digits: int  # decimals that are printed
    lower_is_better: bool = False
    headline: bool = True  # shown in a terminal too
    task: str = VERIFICATION

    def text(self, share: float) -> str:
        """A share as it is printed, without its unit."""
        return f"{share * (100 if self.percent else 1):.{self.digits}f}"

    def value(self, value: Value) -> str:
        return "" if value.value is None else self.text(value.value)

    def spread(self, value: Value) -> str:
        """The 95 % interval; empty where there is none."""
        return (
            ""
            if value.value is None or value.low is None or value.high is None
            else f"[{self.text(value.low)}, {self.text(value.high)}]"
        )


def columns_of(protocol: str, found: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns of a protocol, of whose ``metrics.json`` in several cells these are."""
    task = str(found[0].get("task", VERIFICATION)) if found else VERIFICATION
    return [column_of(protocol, one, task) for one in known_task(task).measures(found)]


def column_of(heading: str, measure: Measure, task: str) -> Column:
    return Column(
        heading,
        measure.key,
        measure.title,
        measure.percent,
        measure.digits,
        measure.lower_is_better,
        measure.headline,
        task,
    )
