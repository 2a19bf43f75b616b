"""What planned replicates and pairs of images can detect, before anything runs."""

from __future__ import annotations

LEVEL, POWER = 0.05, 0.8


def signed_rank_least(replicates: int) -> float:
    """The smallest two-sided p of Wilcoxon's signed-rank test of n differences, 2 / 2^n: all have one sign."""
    return min(2.0 / 2**replicates, 1.0)


def signed_rank_needed(level: float = LEVEL) -> int:
    """The fewest differences with which the signed-rank test can reach this level."""
    replicates = 1
    while signed_rank_least(replicates) >= level:
        replicates += 1
    return replicates


def detectable(variance: float, degrees: float, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest difference that a two-sided t test finds with this power: noncentral t (Cohen: Statistical power analysis
    for the behavioral sciences, 1988, chapter 2).

    Args:
        variance: of the estimated difference.
        degrees: of freedom of its estimate, above 0.
        level: of the test; for the worst of k comparisons after Holm's correction, the level divided by k.
        power: share of the studies that find it, above ``level``.
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    critical = float(t.isf(level / 2, degrees))

    def short(shift: float) -> float:
        return float(nct.sf(critical, degrees, shift)) - power  # the other tail adds nothing at 80 %

    high = 1.0
    while short(high) < 0:
        high *= 1.5
    return float(brentq(short, 0.0, high)) * variance**0.5


def between_cells(replicates: int, level: float = LEVEL) -> float | None:
    """The smallest detectable difference of two cells, in standard deviations between seeds; None with one replicate."""
    if replicates < 2:
        return None
    return detectable(2 / replicates, 2 * (replicates - 1), level)


def between_levels(replicates: int, cells: int, each: int, level: float = LEVEL) -> float | None:
    """The smallest detectable difference of two levels of a factor, in standard deviations between seeds, with the error of all
    cells; None with one replicate.

    Args:
        replicates: of each cell.
        cells: of the grid.
        each: cells of each level.
    """
    if replicates < 2:
        return None
    return detectable(2 / (each * replicates), (cells - 1) * (replicates - 1), level) if cells > 1 else None


def accuracy_on_pairs(pairs: int, disagreement: float, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest detectable difference of two accuracies on the same independent pairs (McNemar's test; Connor, Biometrics
    43, 1987, in its simple form): (z + z') sqrt(disagreement / pairs). Shared subjects make it larger.

    Args:
        disagreement: share of the pairs that just one of the two decides correctly.
    """
    from scipy.special import ndtri

    return float(ndtri(power) - ndtri(level / 2)) * (disagreement / pairs) ** 0.5
