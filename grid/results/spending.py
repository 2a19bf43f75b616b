"""What a study has spent: hours of CPUs and GPUs that the attempts of its stages held, and their price."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from grid.ledger.attempt_times import CPU, GPU, AttemptTime, attempt_times
from grid.ledger.measurement_times import measurement_times
from grid.ledger.study import Study
from grid.spec.prices import Prices
from grid.spec.stage_kind import known_kind
from grid.terminal import counted

AGAIN = 32  # ended stages that each reading looks at again: it must stay fast for thousands of them in a bucket
TYPE = re.compile(r"gpu \S+ \((.+)\)")  # the type of a GPU in the name of a device


@dataclass(frozen=True)
class Spending:
    """The sum over all attempts that this study's launches and workers began, whatever became of them, and its measurements of
    memory.

    Attributes:
        cost: in ``currency``; None without a price for something that was used
        attempts: their number, without measurements; ``without_result``: of those that failed or were lost
        hours_without_result: GPU-hours of these or, without GPUs, CPU-hours
        without_price: devices whose GPU-hours have no price, if anything has one
    """

    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    cost: float | None = None
    currency: str = ""
    attempts: int = 0
    without_result: int = 0
    hours_without_result: float = 0.0
    without_price: list[str] = field(default_factory=list)


@dataclass
class SpendingReader:
    """Reads the spending of a study.

    Stages that are done are read once, and again where a later attempt was begun, because their result was damaged or voided:
    each time, ``AGAIN`` of them are looked at.

    Args:
        prices: None: those of the study's record
        running: ids of stages that are read each time
    """

    study: Study
    prices: Prices | None = None
    running: set[str] = field(default_factory=set)
    _ended: dict[str, list[AttemptTime]] = field(default_factory=dict)  # those looked at longest ago first

    def spent(self, now: float | None = None) -> Spending:
        """The spending until ``now`` (unix seconds)."""
        now = time.time() if now is None else now
        prices = self.prices or prices_of(self.study.record)
        attempts = [one for one in self._attempts() if one.study in (None, self.study.id)]
        bad = [one for one in attempts if one.outcome in ("failed", "lost")]
        used = [*attempts, *measurement_times(self.study.path)]
        gpu = sum(one.hours(GPU, now) for one in used)
        unpriced = {
            TYPE.sub(r"\1", one.device or "an unknown GPU")
            for one in used
            if one.reserved.get(GPU) and prices.of_gpu(one.device) is None
        }
        return Spending(
            cpu_hours=sum(one.hours(CPU, now) for one in used),
            gpu_hours=gpu,
            cost=_cost(used, prices, now) if prices.named else None,
            currency=prices.currency,
            attempts=len(attempts),
            without_result=len(bad),
            hours_without_result=sum(one.hours(GPU if gpu else CPU, now) for one in bad),
            without_price=sorted(unpriced) if prices.named else [],
        )

    def _attempts(self) -> list[AttemptTime]:
        found, kinds = [], _stages(self.study)
        self._look_again(kinds)
        for id, kind in kinds.items():
            if id not in self._ended:
                times = attempt_times(self.study.ledger, kind, id)
                if times and times[-1].outcome == "done" and id not in self.running:
                    self._ended[id] = times
                found += times
            else:
                found += self._ended[id]
        known = {(one.began, one.number) for one in found}  # pruning was interrupted, and they are still there
        pruned = [AttemptTime(**row) for row in self.study.record.get("pruned", [])]
        return [*found, *(one for one in pruned if (one.began, one.number) not in known)]

    def _look_again(self, kinds: Mapping[str, str]) -> None:
        """Forgets ended stages that were begun again; one listing each."""
        for id in self.running:
            self._ended.pop(id, None)
        for id in list(self._ended)[:AGAIN]:
            times = self._ended.pop(id)
            if id in kinds and self.study.ledger.attempts(kinds[id], id) <= len(times):
                self._ended[id] = times


def _stages(study: Study) -> dict[str, str]:
    """Id -> kind of the begun stages of a study, those of removed cells and the parts of detections included."""
    kinds = {stage["id"]: stage["stage"] for stage in study.record["stages"]}
    ids = cache(lambda kind: frozenset(study.ledger.done_ids(kind)))
    found = {id: kind for id, kind in kinds.items() if id in ids(kind)}
    for kind in dict.fromkeys(kinds.values()):
        if parts := known_kind(kind).parts:
            found |= {id: parts for id in ids(parts) if kinds.get(id.partition("-")[0]) == kind}
    return found


def _cost(attempts: list[AttemptTime], prices: Prices, now: float) -> float | None:
    total = 0.0
    for one in attempts:
        price = prices.of_gpu(one.device) if one.reserved.get(GPU) else 0.0
        if price is None:
            return None
        total += one.hours(CPU, now) * prices.cpu_hour + one.hours(GPU, now) * price
    return total


def prices_of(record: Mapping[str, Any]) -> Prices:
    """The prices that a study was launched with."""
    return Prices.model_validate(record.get("launch", {}).get("prices") or {})


def spending_words(spent: Spending) -> str:
    """``spent 1.2 GPU-hours, 9.6 CPU-hours, USD 3.4; 0.1 hours of them in 2 attempts without a result``."""
    hours = [f"{spent.gpu_hours:.3g} GPU-hours"] if spent.gpu_hours else []
    hours.append(f"{spent.cpu_hours:.3g} CPU-hours")
    if spent.cost is not None:
        hours.append(f"{spent.currency} {spent.cost:.3g}")
    bad = counted(spent.without_result, "attempt")
    lost = f"; {spent.hours_without_result:.3g} hours of them in {bad} without a result" if spent.without_result else ""
    unpriced = f"; launch.prices.gpu_hour has no price for {' and '.join(spent.without_price)}" if spent.without_price else ""
    return f"spent {', '.join(hours)}{lost}{unpriced}"
