"""Differences of cells under one metric, with their uncertainty over test subjects and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.paired_bootstrap import PairedBootstrap
from modules.metrics.paired_tests import Estimate, student


@dataclass(frozen=True, eq=False)
class CellContrasts:
    """Weighted sums of cells, such as differences; a cell's value is the mean over its replicates.

    With replicates, the variance of a sum is that of the test items plus the variance between replicates of each cell, divided
    by their number; degrees of freedom by Satterthwaite (Biometrics Bulletin 2, 1946). Cells with one replicate add nothing:
    that they would differ again with other seeds is then not tested.

    Attributes:
        metric: a key of ``drawn``.
        groups: the observations of each cell.
        values: (observations,) of the metric.
        drawn: of the observations; None if there are no scored pairs.
    """

    metric: str
    groups: Sequence[Sequence[int]]
    values: np.ndarray
    drawn: PairedBootstrap | None

    @property
    def means(self) -> list[float]:
        """The value of each cell."""
        return [float(self.values[list(group)].mean()) for group in self.groups]

    @property
    def units(self) -> int:
        """Number of test subjects behind the metric, or of values if there are no scored pairs."""
        return self.drawn.units.behind(self.metric) if self.drawn else len(self.values)

    def moments(self, weights: np.ndarray) -> tuple[float, float] | None:
        """(variance, degrees of freedom) of the sum of the cells with these weights; None if nothing is known of it.

        Args:
            weights: (cells,); of a difference they sum to 0.
        """
        parts: list[tuple[float, int]] = []
        contrast = np.zeros(len(self.values))
        for group, weight in zip(self.groups, weights, strict=True):
            if not weight:
                continue
            contrast[list(group)] = weight / len(group)
            if len(group) > 1:
                parts.append((weight**2 * float(self.values[list(group)].var(ddof=1)) / len(group), len(group) - 1))
            elif self.drawn is None:
                return None
        if self.drawn:
            parts.insert(0, (float(self.drawn.covariance(self.metric, contrast[None])[0, 0]), self.units - 1))
        return satterthwaite(parts)

    def estimate(self, weights: np.ndarray, offset: float = 0.0) -> Estimate | None:
        """The sum of the cells minus ``offset``, with its 95 % interval and p; None as in ``moments``."""
        moments = self.moments(weights)
        value = float(np.dot(weights, self.means)) - offset
        return None if moments is None else student(value, *moments, self.units)


def satterthwaite(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """(sum of the variances, its degrees of freedom)."""
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / degrees for variance, degrees in parts)
    return total, total**2 / below if below > 0 else 1.0
