"""A measurement, its noise, and how both are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.evaluation.task import evaluation_task

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
    known = {VERIFICATION: _pairs, "templates": _templates, "identification": _search, "clustering": _groups}
    if task in known:
        return list(known[task](protocol, found))
    return [
        Column(protocol, one.key, one.title, one.percent, one.digits, one.lower_is_better, one.headline, task)
        for one in evaluation_task(task).measures(found)
    ]


def _pairs(protocol: str, found: Sequence[Mapping[str, Any]]) -> Iterable[Column]:
    yield Column(protocol, CROSS_VALIDATED, f"Accuracy, {_folds(found)}", True, 2)
    yield Column(protocol, BEST_THRESHOLD, "Accuracy, best threshold", True, 2)
    yield Column(protocol, "eer", "EER", True, 2, lower_is_better=True)
    yield _area(protocol, found)
    for far in _keys("val", found, falling=True):
        yield Column(protocol, f"val:{far}", f"VAL @ {_share(far)}", True, 2, headline=False)


def _folds(found: Sequence[Mapping[str, Any]]) -> str:
    numbers = {len(entry["ten_fold"].get("folds") or ()) or 10 for entry in found}
    return f"{numbers.pop()}-fold" if len(numbers) == 1 else "cross-validated" if numbers else "10-fold"


def _templates(protocol: str, found: Sequence[Mapping[str, Any]]) -> Iterable[Column]:
    for far in _keys("tar", found, falling=True):
        yield Column(protocol, f"tar:{far}", f"TAR @ {_share(far)}", True, 2, headline=float(far) == 1e-4, task="templates")
    yield Column(protocol, "eer", "EER", True, 2, lower_is_better=True, task="templates")
    yield _area(protocol, found, task="templates")


def _search(protocol: str, found: Sequence[Mapping[str, Any]]) -> Iterable[Column]:
    for rank in _keys("cmc", found):
        yield Column(protocol, f"cmc:{rank}", f"Rank {rank}", True, 2, headline=rank == "1", task="identification")
    for far in _keys("dir", found, falling=True):
        yield Column(
            protocol, f"dir:{far}", f"DIR @ {_share(far)}", True, 2, headline=float(far) == 1e-2, task="identification"
        )


def _groups(protocol: str, found: Sequence[Mapping[str, Any]]) -> Iterable[Column]:
    for way in _keys("pairwise", found):
        first = way == "average linkage"
        yield Column(protocol, f"pairwise:{way}", f"Pairwise F, {way}", True, 2, headline=first, task="clustering")
        yield Column(protocol, f"bcubed:{way}", f"BCubed F, {way}", True, 2, headline=first, task="clustering")


def _area(protocol: str, found: Sequence[Mapping[str, Any]], task: str = VERIFICATION) -> Column:
    widths = [entry["auc"]["high"] - entry["auc"]["low"] for entry in found if entry["auc"].get("high") is not None]
    return Column(protocol, "auc", "AUC", False, 4 if min(widths, default=1.0) < 0.002 else 3, task=task)


def _keys(kind: str, found: Sequence[Mapping[str, Any]], falling: bool = False) -> list[str]:
    keys = dict.fromkeys(key for entry in found for key in entry.get(kind, {}))
    return sorted(keys, key=float, reverse=True) if falling else list(keys)


def _share(far: str) -> str:
    return f"{float(far) * 100:g} %"
