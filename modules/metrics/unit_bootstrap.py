"""Bootstrap of statistics that are functions of sums over images; images, or subjects with all their images, are drawn.

Images of one subject are not independent, so where subjects are known they are the units that are drawn with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modules.metrics.intervals import effective, wilson
from modules.metrics.subject_bootstrap import times_drawn

_AT_ONCE = 4_000_000  # counts in memory


@dataclass(frozen=True, eq=False)
class Draws:
    """How N images are resampled.

    Attributes:
        subjects: int (N,), the subject of each image; None: the images are independent, and every image is a unit
        resamples: number of resamples; each draws as many units as there are
        seed: of the resampling
    """

    subjects: np.ndarray | None = None
    resamples: int = 1000
    seed: int = 0

    @property
    def method(self) -> str:
        return "image bootstrap" if self.subjects is None else "subject bootstrap"

    def of(self, rows: np.ndarray) -> Draws:
        """Those of some of the images."""
        return self if self.subjects is None else replace(self, subjects=self.subjects[rows])

    def units(self, rows: np.ndarray) -> int:
        """The number of units that images, bool (N,), are of."""
        return int(rows.sum()) if self.subjects is None else len(np.unique(self.subjects[rows]))

    def sums(self, terms: Any) -> np.ndarray:
        """Sums over each resample, (resamples, M) float64; equal draws give the same resamples.

        Args:
            terms: (N, M), what each image adds to the M sums; an array or a sparse matrix of scipy
        """
        from scipy import sparse

        matrix = sparse.csr_matrix(terms, dtype=np.float64)
        assert matrix.shape[0], "nothing to draw from"
        if self.subjects is not None:
            _, place = np.unique(self.subjects, return_inverse=True)
            rows = np.arange(len(place))
            matrix = sparse.csr_matrix((np.ones(len(place)), (place, rows)), shape=(int(place.max()) + 1, len(place))) @ matrix
        count, columns = matrix.shape[0], matrix.T.tocsr()
        generator = np.random.default_rng(self.seed)
        found = []
        block = max(1, _AT_ONCE // count)
        for start in range(0, self.resamples, block):
            times = times_drawn(generator, count, min(block, self.resamples - start))
            found.append((columns @ times.T.astype(np.float64)).T)
        return np.concatenate(found)

    def share_interval(self, hits: float, total: float, drawn: np.ndarray) -> tuple[float, float]:
        """Interval of the proportion ``hits`` / ``total`` of the images: Wilson's, over subjects at the effective sample size.

        Args:
            hits: number of images that count
            total: number of all images, at least 1
            drawn: (resamples,), the proportion over resamples of subjects
        """
        if self.subjects is None:
            return wilson(hits, total)
        units = len(np.unique(self.subjects))
        return effective(hits / total, variance(drawn) if units > 1 else 0.0, units, int(total))


INDEPENDENT = Draws()


def variance(values: np.ndarray) -> float:
    """Sample variance of the finite values; 0 if there are fewer than two."""
    finite = values[np.isfinite(values)]
    return float(finite.var(ddof=1)) if len(finite) > 1 else 0.0


def correlations(values: np.ndarray) -> np.ndarray:
    """Correlation matrix (K, K) of statistics (resamples, K), over the resamples in which both are finite.

    A statistic without variance is uncorrelated with all others.
    """
    count = values.shape[1]
    found = np.eye(count)
    for one in range(count):
        for other in range(one):
            both = np.isfinite(values[:, one]) & np.isfinite(values[:, other])
            x, y = values[both, one], values[both, other]
            if len(x) > 2 and x.std() > 0 and y.std() > 0:
                found[one, other] = found[other, one] = np.corrcoef(x, y)[0, 1]
    return found
