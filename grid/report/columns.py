"""A measurement, its noise, and how both are printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """A measurement and its noise: shares from 0 to 1. ``value`` is None where there is none, and ``reason`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    reason: str | None = None

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
    key: str  # oracle, tenfold, eer, auc, or val:<far>
    title: str
    percent: bool
    digits: int  # decimals that are printed
    lower_is_better: bool = False

    def text(self, share: float) -> str:
        """A share as it is printed, without its unit."""
        return f"{share * (100 if self.percent else 1):.{self.digits}f}"

    def value(self, value: Value) -> str:
        return "" if value.value is None else self.text(value.value)

    def spread(self, value: Value) -> str:
        """The noise: the standard error of cross-validation, the 95 % interval of anything else."""
        if value.value is None:
            return ""
        if self.key == "tenfold":
            return "" if value.se is None else f"± {self.text(value.se)}"
        return "" if value.low is None or value.high is None else f"[{self.text(value.low)}, {self.text(value.high)}]"
