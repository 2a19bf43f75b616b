"""The interval of sequential replication, written out for two cells."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def interval(one: Sequence[float], other: Sequence[float], common: float, level: float) -> tuple[float, float]:
    """Welch's, of two cells whose variances are averaged with the common one, which counts two degrees of freedom."""
    free = len(one) - 1
    parts = [(2 * common + free * np.var(values, ddof=1)) / (2 + free) / len(values) for values in (one, other)]
    degrees = sum(parts) ** 2 / sum(part**2 / (2 + free) for part in parts)
    low, high = stats.t.interval(1 - level, degrees, np.mean(one) - np.mean(other), sum(parts) ** 0.5)
    return float(low), float(high)
