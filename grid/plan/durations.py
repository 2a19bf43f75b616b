"""Predicts how long stages take, from measured durations: a log-normal model with a prediction interval.

The logarithm of the duration is normal around a level, or around a line in the logarithm of the amount of work. Level, slope
and variance are drawn from their posterior under flat priors for level and slope and a scaled inverse chi-squared prior for the
variance (Gelman et al., Bayesian Data Analysis, 3rd edition, Sections 3.2 and 14.2), so an interval is wide where little was
measured. The measurements that resemble a stage most are used alone: those of the same component with the same network, else of
the same component, else of the same kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from grid.plan.history import Duration
from grid.plan.workload import Workload
from grid.spec.prices import is_in_name

PRIOR_SD = math.log(1.5)  # of the logarithm: durations of equal stages differ by a factor of about 1.5, as the prior says
PRIOR_WEIGHT = 3.0  # that many measurements' worth
SLOPED = 5  # measurements that a slope is estimated from; below, the duration is proportional to the amount
SPREAD = 0.25  # standard deviation of the logarithm of the amounts, needed for that, too


@dataclass(frozen=True)
class Fit:
    """A model of the durations of similar stages.

    Attributes:
        level: mean logarithm of the seconds at ``center``, the mean logarithm of the amounts
        slope: of the line; 0: amounts are unknown
        free: sum of squares of the logarithms of the amounts around ``center``, if the slope was estimated; else 0
        count: measurements
        variance, weight: posterior scale and degrees of freedom of the variance
    """

    level: float
    slope: float
    center: float
    free: float
    count: int
    variance: float
    weight: float

    def seconds(self, amount: float | None) -> float:
        """The median."""
        return math.exp(self.level + self.slope * self._distance(amount))

    def draw(self, random: np.random.Generator) -> Callable[[float | None], float]:
        """A sample from the posterior: a function that samples the duration of a stage with some amount."""
        variance = self.weight * self.variance / random.chisquare(self.weight)
        level = random.normal(self.level, math.sqrt(variance / self.count))
        slope = random.normal(self.slope, math.sqrt(variance / self.free)) if self.free else self.slope
        return lambda amount: math.exp(random.normal(level + slope * self._distance(amount), math.sqrt(variance)))

    def _distance(self, amount: float | None) -> float:
        return math.log(amount) - self.center if amount and self.slope else 0.0


def fit(durations: Sequence[Duration]) -> Fit:
    """The model of at least one measurement."""
    seconds = np.log([one.seconds for one in durations])
    count = len(durations)
    amounts = [one.workload.amount for one in durations]
    known = all(amounts)
    x = np.log([float(amount or 1.0) for amount in amounts])
    center, level = float(x.mean()), float(seconds.mean())
    slope, free = (1.0 if known else 0.0), 0.0
    if known and count >= SLOPED and x.std() > SPREAD:
        squares = float(((x - center) ** 2).sum())
        estimated = float(((x - center) * (seconds - level)).sum() / squares)
        slope = min(1.0, max(0.0, estimated))  # more work takes no less time, and no more than in proportion
        free = squares if slope == estimated else 0.0
    rest = float(((seconds - level - slope * (x - center)) ** 2).sum())
    weight = PRIOR_WEIGHT + count - 1 - bool(free)
    return Fit(level, slope, center, free, count, (PRIOR_WEIGHT * PRIOR_SD**2 + rest) / weight, weight)


@dataclass
class Durations:
    """Measurements, and the models made of them."""

    measured: Sequence[Duration]
    _fits: dict[tuple[str, ...], Fit | None] = field(default_factory=dict)

    def of(self, workload: Workload, device: str) -> Fit | None:
        """The model for stages with this workload on a device; None if none of their kind was measured there.

        Args:
            device: "cpu", "gpu" (any), or a part of a GPU's name
        """
        kind = workload.group.partition(" ")[0]
        keys = [(device, workload.group, workload.network), (device, workload.group), (device, kind)]
        for key in keys:
            if key not in self._fits:
                alike = [one for one in self.measured if on_device(one.device, device) and _alike(one.workload, key[1:])]
                self._fits[key] = fit(alike) if alike else None
            if found := self._fits[key]:
                return found
        return None


def _alike(workload: Workload, key: Sequence[str]) -> bool:
    group, *network = key
    same = workload.group == group or ((" " not in group) and workload.group.partition(" ")[0] == group)
    return same and (not network or workload.network == network[0])


def on_device(measured: str, wanted: str) -> bool:
    """Whether a device is the wanted one: "cpu", "gpu" (any), or a part of a GPU's name."""
    if wanted == "gpu":
        return measured != "cpu"
    return is_in_name(wanted, measured)
