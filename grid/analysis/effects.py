"""Effects of a grid's factors on one metric: which factor matters, by how much, and for which repetition of the study it holds.

Two kinds of repetition are kept apart, because no single number covers both:

* **seeds**: the same test subjects, networks trained again. Needs replicates.
* **test items**: the same networks, other test subjects. Needs the scores of a protocol with pairs of images.

Seeds are tested against the variance within cells and replicates (in a balanced grid, the exact F test of the mixed model with
the replicate as random effect); test items by their sum of squares, with the covariance of the paired subject bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.analysis.design import Design, Term, coding, design
from grid.analysis.variance_components import SeedVariance, seed_variance
from modules.metrics.paired_tests import Estimate, anova_type, holm, student


@dataclass(frozen=True)
class Judgment:
    """A test of one term: ``adjusted`` is ``p`` after Holm's correction over all terms of the metric."""

    f: float
    degrees: tuple[float, float]
    p: float
    adjusted: float


@dataclass(frozen=True)
class LevelEffect:
    """One level, or one combination of levels of an interaction.

    Attributes:
        value: the effect: deviation from the grand mean, and for an interaction from what both main effects add up to.
        seeds, items: the effect with its interval for other seeds, and for other test subjects; None if unknown.
        cells: number of cells with these levels.
    """

    term: Term
    levels: tuple[str, ...]
    value: float
    seeds: Estimate | None
    items: Estimate | None
    cells: int


@dataclass(frozen=True)
class TermEffect:
    """A main effect or a two-way interaction.

    Attributes:
        squares: type III sum of squares, over all cells and replicates.
        eta_squared: ``squares`` as a share of all variation between cells and replicates.
        partial_eta_squared: ``squares`` / (``squares`` + variation between seeds); None without replicates.
        deviation: root mean square of the effects over the cells, in the unit of the metric.
        aliases: interactions that the design cannot tell from this term; the estimate is the sum, up to signs.
    """

    term: Term
    parameters: int
    squares: float
    eta_squared: float
    partial_eta_squared: float | None
    deviation: float
    seeds: Judgment | None
    items: Judgment | None
    levels: tuple[LevelEffect, ...]
    aliases: tuple[Term, ...] = ()

    @property
    def name(self) -> str:
        return named(self.term)

    @property
    def label(self) -> str:
        """The name with those of its aliases: ``A + B x C``."""
        return " + ".join(map(named, (self.term, *self.aliases)))

    @property
    def adjusted(self) -> float | None:
        """The larger of both adjusted p values: the effect holds for other seeds and for other test subjects."""
        return max((one.adjusted for one in (self.seeds, self.items) if one), default=None)


@dataclass(frozen=True)
class Effects:
    """The effects on one metric.

    Attributes:
        mean: the grand mean: of the cells, each level of a factor counting the same.
        terms: those that can be estimated, main effects first.
        dropped: term without an estimate -> terms that it is aliased with; without any, with the mean.
        components: source -> standard deviation in the unit of the metric.
        seed: variances between replicates; None if there are no replicates.
    """

    mean: float
    terms: tuple[TermEffect, ...]
    dropped: Mapping[Term, tuple[Term, ...]]
    components: Mapping[str, float]
    seed: SeedVariance | None


def named(term: Term) -> str:
    return " x ".join(term)


def effects(
    levels: Sequence[Mapping[str, str]],
    replicates: Sequence[int],
    values: Sequence[float],
    axes: Mapping[str, Sequence[str]],
    covariance: Callable[[np.ndarray], np.ndarray] | None = None,
    units: int = 0,
    mixed: bool = True,
    negligible: bool = False,
) -> Effects:
    """Main effects and two-way interactions of every factor.

    Args:
        levels: axis -> level of each of the n values.
        replicates: (n,), the replicate of each value; replicates that are copies of each other must be left out.
        values: (n,), the metric.
        axes: axis -> levels.
        covariance: contrasts (K, n) of the values -> their covariance (K, K) over test items; None if unknown.
        units: number of test subjects behind ``covariance``.
        mixed: fit the mixed model that divides the variance between seeds; the tests do not need it.
        negligible: two-way interactions that cannot be estimated are assumed to be 0; else a main effect that is fully aliased
            with one of them has no estimate either.
    """
    y = np.asarray(values, np.float64)
    model = design(levels, axes, negligible)
    numbers: dict[tuple[str, ...], int] = {}
    cells = [numbers.setdefault(tuple(one[axis] for axis in axes), len(numbers)) for one in levels]
    inverse = _inverse(model.matrix, replicates)
    parameters = inverse @ y
    seed = seed_variance(cells, replicates, y, mixed)
    error = seed if seed and seed.error > 1e-12 * max(float(np.mean(y * y)), 1e-12) else None
    total = float(((y - y.mean()) ** 2).sum())
    first = [cells.index(number) for number in range(len(numbers))]
    estimated = [term for term in model.columns if term not in model.refused]
    terms = [_term(term, model, inverse, parameters, error, total, covariance, units, levels, first) for term in estimated]
    for kind in ("seeds", "items"):
        found = [judged for term in terms if (judged := getattr(term, kind))]
        adjusted = holm([one.p for one in found])
        if len(found) == len(terms):
            terms = [
                replace(term, **{kind: replace(one, adjusted=p)}) for term, one, p in zip(terms, found, adjusted, strict=True)
            ]
    components = {term.label: term.deviation for term in terms}
    means = np.array([y[[n for n, cell in enumerate(cells) if cell == number]].mean() for number in range(len(numbers))])
    kept = [0, *(place for term in estimated for place in model.columns[term])]
    rest = means - (model.matrix[np.ix_(first, kept)] @ parameters[kept])
    if len(numbers) > len(kept):
        components["all else between cells"] = float(np.sqrt(np.mean(rest**2)))
    if seed and seed.residual is not None and seed.replicate is not None:
        components |= {"seed, all cells alike": seed.replicate**0.5, "seed, each cell": seed.residual**0.5}
    elif seed:
        components["seed"] = seed.error**0.5
    if covariance:
        variances = [float(covariance(row[None])[0, 0]) for row in np.eye(len(y))[first]]
        components["test items, one cell"] = float(np.mean(variances)) ** 0.5
    return Effects(float(parameters[0]), tuple(terms), {**model.refused, **model.dropped}, components, seed)


def _inverse(matrix: np.ndarray, replicates: Sequence[int]) -> np.ndarray:
    """(parameters, n): least-squares estimates of the parameters, adjusted for the replicates where they are crossed."""
    _, place = np.unique(np.asarray(replicates), return_inverse=True)
    count = int(place.max()) + 1
    whole = np.hstack([matrix, coding(count)[place]])
    if np.linalg.matrix_rank(whole) < whole.shape[1]:
        whole = matrix
    return np.linalg.pinv(whole)[: matrix.shape[1]]


def _term(
    term: Term,
    model: Design,
    inverse: np.ndarray,
    parameters: np.ndarray,
    error: SeedVariance | None,
    total: float,
    covariance: Callable[[np.ndarray], np.ndarray] | None,
    units: int,
    levels: Sequence[Mapping[str, str]],
    first: Sequence[int],
) -> TermEffect:
    from scipy.special import fdtrc

    own = list(model.columns[term])
    block, estimates = inverse[own], parameters[own]
    spread = block @ block.T
    squares = float(estimates @ np.linalg.solve(spread, estimates))
    seeds = items = None
    if error:
        value = squares / len(own) / error.error
        p = float(fdtrc(len(own), error.degrees, value))
        seeds = Judgment(value, (len(own), error.degrees), p, p)
    if covariance:
        value, degrees, p = anova_type(estimates, spread, covariance(block), units - 1)
        items = Judgment(value, degrees, p, p)
    combinations, contrasts = model.contrasts(term)
    found = []
    for chosen, row in zip(combinations, contrasts, strict=True):
        effect = float(row @ estimates)
        there = [levels[n] for n in first if all(levels[n][axis] == level for axis, level in zip(term, chosen, strict=True))]
        by_seed = student(effect, error.error * float(row @ spread @ row), error.degrees, error.degrees + 1) if error else None
        by_item = student(effect, float(covariance((row @ block)[None])[0, 0]), units - 1, units) if covariance else None
        found.append(LevelEffect(term, chosen, effect, by_seed, by_item, len(there)))
    contributions = model.matrix[np.ix_(list(first), own)] @ estimates
    partial = squares / (squares + error.error * error.degrees) if error else None
    deviation = float(np.sqrt(np.mean(contributions**2)))
    share = squares / total if total > 0 else 0.0
    aliases = model.aliases[term]
    return TermEffect(term, len(own), squares, share, partial, deviation, seeds, items, tuple(found), aliases)
