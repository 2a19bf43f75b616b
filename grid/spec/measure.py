"""One measured quantity: its location in a result and its format in tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.contract import broken

QUANTITIES = {"ten_fold": "accuracy_ten_fold", "best_threshold": "accuracy_best_threshold"}
RATES = {
    "val": "val_at_far_", "tar": "tar_at_far_", "dir": "dir_at_far_", "cmc": "rank_", "pairwise": "pairwise_f ",
    "bcubed": "bcubed_f ", "targets": "",
}  # fmt: skip


Range = tuple[float, float]  # the smallest and the largest possible value
SHARE: Range = (0.0, 1.0)
DIFFERENCE: Range = (-1.0, 1.0)  # of two shares; also SSIM
NOT_NEGATIVE: Range = (0.0, math.inf)
UNBOUNDED: Range = (-math.inf, math.inf)

CROSS_VALIDATED_TITLE = "Accuracy, cross-validated"  # the title of ``ten_fold`` everywhere, whatever the number of folds


@dataclass(frozen=True)
class Measure:
    """A quantity of a result, which is a JSON value such as ``metrics.json``.

    Attributes:
        key: the path to its entry, parts joined by ``:``, such as ``eer`` or ``tar:0.001``; the entry is a mapping with
            ``value`` and, if known, ``low``, ``high``, ``se`` and ``reason``.
        title: the column heading.
        percent: it is a fraction from 0 to 1, printed in percent.
        digits: decimals that are printed.
        headline: it is also shown on a terminal.
        range: where intervals of its means over replicates end; None: 0 to 1 if it is printed in percent, else not known.
    """

    key: str
    title: str
    percent: bool = True
    digits: int = 2
    lower_is_better: bool = False
    headline: bool = True
    range: Range | None = None


@dataclass(frozen=True)
class Measured:
    """One number of a finished stage, a row of the long table.

    Attributes:
        metric: its name there, such as ``eer`` or ``val:0.001``.
        entry: ``value`` and, if known, ``low``, ``high``, ``se``, ``sd``, ``method``, ``reason`` and ``n``.
        count: the number of pairs, probes or images behind it, if the entry has no ``n``.
        map: of an explanation metric: the name of the map.
        split: ``train``, ``validation`` or ``test``.
    """

    metric: str
    entry: Mapping[str, Any]
    count: int | None = None
    map: str | None = None
    split: str | None = None


def measures_in(found: Sequence[Mapping[str, Any]]) -> list[Measure]:
    """Every entry with a ``value``, in the order of the results; plain numbers get their keys as titles."""
    keys = dict.fromkeys(key for result in found for key in _keys(result))
    return [Measure(key, key.replace(":", " ").replace("_", " "), percent=False, digits=3) for key in keys]


def entry_of(result: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """The entry of a measure in a result, or None."""
    found: Any = result
    for part in key.split(":"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def check_values(result: Mapping[str, Any], what: str, expected: str, page: str) -> None:
    """Raises ContractError unless each ``value`` of a result is a number or None; ``what`` names its origin."""
    for measure in measures_in([result]):
        value = (entry_of(result, measure.key) or {}).get("value")
        if value is not None and not is_number(value):
            raise broken(f"{what} {measure.key!r} is", value, expected, page)


def number_of(value: Any) -> float | None:
    """A number of a result; None if there is none, or it is not finite."""
    return None if value is None or isinstance(value, bool) or not math.isfinite(value) else float(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def metric_name(key: str) -> str:
    """A measure's key as a single name: ``val:0.001`` becomes ``val_at_far_0.001``."""
    quantity, _, rest = key.partition(":")
    return f"{RATES.get(quantity, f'{quantity} ')}{rest.replace(':', ' ')}" if rest else QUANTITIES.get(quantity, quantity)


def keys_in(found: Sequence[Mapping[str, Any]], part: str, falling: bool = False) -> list[str]:
    """The keys of a part with several entries, such as one per FAR; ``falling``: numbers, in descending order."""
    keys = dict.fromkeys(key for result in found for key in result.get(part, {}))
    return sorted(keys, key=float, reverse=True) if falling else list(keys)


def area_under_curve(found: Sequence[Mapping[str, Any]]) -> Measure:
    """``auc``, with one more decimal if the intervals are narrow enough."""
    widths = [one["auc"]["high"] - one["auc"]["low"] for one in found if one["auc"].get("high") is not None]
    digits = 4 if min(widths, default=1.0) < 0.002 else 3
    return Measure("auc", "AUC", percent=False, digits=digits, range=SHARE)


def rates(found: Sequence[Mapping[str, Any]], part: str, title: str, headlines: Sequence[float] = ()) -> list[Measure]:
    """One column per FAR of a part, in descending order; ``headlines``: the FARs that are also shown on a terminal."""
    fars = keys_in(found, part, falling=True)
    return [Measure(f"{part}:{far}", f"{title} @ {in_percent(far)}", headline=float(far) in headlines) for far in fars]


def clipped(low: float, high: float, ends: Range, values: Sequence[float]) -> Range:
    """The interval of the mean of values within their ``ends``, or within the values where these are beyond."""
    return max(low, min(ends[0], *values)), min(high, max(ends[1], *values))


def in_percent(share: str) -> str:
    """ "0.001" becomes ``0.1 %``."""
    return f"{float(share) * 100:g} %"


def _keys(value: Mapping[str, Any], start: str = "") -> Iterator[str]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            if "value" in part:
                yield f"{start}{key}"
            else:
                yield from _keys(part, f"{start}{key}:")
