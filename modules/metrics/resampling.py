"""95 % bootstrap intervals of means over images or pairs, and of paired differences between two methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from modules.metrics.intervals import mean_or_none, percentiles
from modules.metrics.validation import check_numbers

_AT_ONCE = 2_000_000  # drawn numbers in memory


def mean_interval(
    values: np.ndarray, strata: np.ndarray, resamples: int, seed: int, *, share: bool = False, most: float | None = 1.0
) -> dict[str, Any]:
    """``value``, ``low`` and ``high`` of the mean, by the percentile bootstrap.

    Rows are drawn with replacement within each stratum. Equal ``strata``, ``resamples`` and ``seed`` draw the same rows, so the
    paired interval of a difference is that of ``values`` - ``others``, row by row.

    Args:
        values: float (N,)
        strata: (N,), e.g. whether a pair is genuine
        resamples: number of resamples
        seed: of the resampling
        share: values are in [0, 1], and if all resamples agree, the interval is that of N independent trials, no point
        most: otherwise, values are in [-most, most], and the interval is then that of N rows without a difference; None: they
            have no bounds, and then there is no interval

    Raises:
        ValueError: a value is not finite.
    """
    values = np.asarray(values, np.float64)
    assert values.ndim == 1, values.shape
    assert values.shape == np.shape(strata), (values.shape, np.shape(strata))
    assert len(values) > 0, "nothing to draw from"
    check_numbers(values, "value")
    generator = np.random.default_rng(seed)
    groups = [values[np.asarray(strata) == one] for one in np.unique(strata)]
    means = []
    block = max(1, _AT_ONCE // len(values))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        sums = np.zeros(rows)
        for group in groups:
            sums += group[generator.integers(0, len(group), size=(rows, len(group)))].sum(axis=1)
        means.append(sums / len(values))
    low, high = percentiles(np.concatenate(means))
    value = float(values.mean())
    ends = mean_or_none(low, high, value, len(values), share=share, most=most)
    return {"value": value, "low": ends[0], "high": ends[1]}


def against(
    values: Mapping[str, np.ndarray],
    name: str,
    baselines: Iterable[str],
    interval: Callable[[np.ndarray, bool], dict[str, Any]],
) -> dict[str, Any]:
    """The interval of a method's values, as ``each`` the values, and ``above``: that of the differences to each baseline.

    Args:
        values: float (N,) of each method and baseline
        interval: that of values (N,), and whether they are differences
    """
    own = values[name]
    above = {other: interval(own - values[other], True) for other in baselines if other != name}
    return {**interval(own, False), "each": own.tolist(), "above": above}
