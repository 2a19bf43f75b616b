"""The interaction of group and pass: do the groups gain differently from the first pass to the second?

The model is accuracy ~ group * pass with a random intercept for each participant. Every participant has one value per pass,
so the intercept cancels in the participant's gain, the second value minus the first. The interaction is then the difference
between the groups' mean gains, and its REML standard error the pooled one of the gains (as long as the estimated variance of
the intercept is above 0): the test is a one-way analysis of variance of the gains, which needs no fit. It uses Student's t
and F with P - G degrees of freedom, where mixed-model programs take the normal distribution, which is too optimistic for few
participants.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import TINY
from modules.metrics.paired_tests import Estimate, holm, student


@dataclass(frozen=True)
class Contrast:
    """How much more the first group gains than the second; ``adjusted`` is Holm's p over all pairs of groups."""

    first: str
    second: str
    difference: Estimate
    adjusted: float


@dataclass(frozen=True)
class Benefit:
    """The interaction, as shares of 1.

    Attributes:
        f, p: of the test that all groups gain the same; None with one group
        degrees: of freedom, of the groups and of the participants
        gains: mean gain of each group, by its letter
        contrasts: of every two groups
    """

    f: float | None
    p: float | None
    degrees: tuple[int, int]
    gains: dict[str, Estimate]
    contrasts: tuple[Contrast, ...]


def benefit(accuracy: np.ndarray, letters: np.ndarray, asked: Sequence[str]) -> Benefit:
    """The interaction of group and pass.

    Args:
        accuracy: (P, 2), of each participant in the first and in the second pass
        letters: (P,), the participants' groups
        asked: the letters of all groups of the study

    Raises:
        ValueError: there are no participants, or a group has fewer than two.
    """
    from scipy.special import fdtrc

    gains = accuracy[:, 1] - accuracy[:, 0]
    groups = {str(letter): gains[letters == letter] for letter in asked}
    if not len(letters):
        raise ValueError("there are no participants")
    if few := [f"group {letter} has {len(values)}" for letter, values in groups.items() if len(values) < 2]:
        raise ValueError(f"each group needs at least two participants; {', '.join(few)}")
    degrees = (len(groups) - 1, len(gains) - len(groups))
    pooled = sum(float(((values - values.mean()) ** 2).sum()) for values in groups.values()) / degrees[1]
    means = {letter: float(values.mean()) for letter, values in groups.items()}
    between = sum(len(values) * (means[letter] - float(gains.mean())) ** 2 for letter, values in groups.items())
    f = p = None
    if degrees[0] and pooled > TINY**2:  # differences of floats leave a little
        f = between / degrees[0] / pooled
        p = float(fdtrc(*degrees, f))

    def estimate(value: float, share: float) -> Estimate:
        return student(value, pooled * share, degrees[1], len(gains))

    pairs = list(itertools.combinations(groups, 2))
    found = [estimate(means[one] - means[other], 1 / len(groups[one]) + 1 / len(groups[other])) for one, other in pairs]
    adjusted = holm([one.p for one in found])
    return Benefit(
        f,
        p,
        degrees,
        {letter: estimate(means[letter], 1 / len(values)) for letter, values in groups.items()},
        tuple(Contrast(*pair, one, more) for pair, one, more in zip(pairs, found, adjusted, strict=True)),
    )
