"""Which cells need another replicate: those with a difference that is still open at the last look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modules.metrics.group_sequential import Contrast, common_variance, half_width, nominal_levels, p_value, welch

State = Literal["differs", "narrow", "open", "waiting"]


@dataclass(frozen=True)
class Judged:
    """A difference of two cells, or the mean of one, at the look that decided it or at the last one so far.

    Attributes:
        state: ``differs``: the interval excludes 0 (differences only); ``narrow``: it is narrow enough; ``open``: neither;
            ``waiting``: a cell has too few values for the first look.
        replicates: of both cells, at that look; 0 if waiting.
        value: the difference (first minus second) or the mean; None if waiting.
        low, high: the interval, which holds for all contrasts and at all looks together with 95 %; None if there is none, for
            instance because all values are equal.
        wanted: replicates that its cells need.
    """

    contrast: Contrast
    state: State
    replicates: int
    value: float | None
    low: float | None
    high: float | None
    wanted: int

    @property
    def closed(self) -> bool:
        return self.state in ("differs", "narrow")


@dataclass(frozen=True)
class Replicated:
    """What the replicates so far decide.

    Attributes:
        contrasts: each with its state.
        counts: replicates that each cell needs: those it has and, if a contrast is open, one more.
        provisional: some cell has too few values for the first look, and its scatter will count in every difference; so even a
            closed one may change.
        final: whether each cell needs no more than ``counts``, whatever other values there will be.
    """

    contrasts: tuple[Judged, ...]
    counts: tuple[int, ...]
    provisional: bool
    final: tuple[bool, ...]


def replicated(
    values: Sequence[Sequence[float | None]], contrasts: Sequence[Contrast], looks: Sequence[int], width: float
) -> Replicated:
    """Follows every contrast from look to look, on equally many replicates of both cells, until it is closed.

    A contrast depends on the values of its own two cells, and on the scatter of all cells at the first look: not on the order
    in which values came.

    Args:
        values: of each cell, by replicate; None where there is none (yet). Values after a missing one, or of more replicates
            than a contrast needs, are not used.
        looks: numbers of replicates, ascending.
        width: half of the width of an interval that is narrow enough.
    """
    levels = nominal_levels(len(values), tuple(contrasts), tuple(looks))
    known = [_before_gap(one) for one in values]
    started = [one[: looks[0]] for one in known if len(one) >= looks[0]]
    common = common_variance(np.stack(started)) if started else None
    found = tuple(_followed(known, contrast, looks, levels, width, common) for contrast in contrasts)
    differences = any(other is not None for _, other in contrasts)
    provisional = differences and len(values) > 2 and len(started) < len(values)  # of two cells, both must have values anyway
    counts, final = [looks[0]] * len(values), [True] * len(values)
    for judged in found:
        for cell in (cell for cell in judged.contrast if cell is not None):
            counts[cell] = max(counts[cell], judged.wanted)
            final[cell] &= (judged.closed and not provisional) or judged.replicates == looks[-1]
    return Replicated(found, tuple(counts), provisional, tuple(final))


def _followed(
    known: Sequence[np.ndarray],
    contrast: Contrast,
    looks: Sequence[int],
    levels: Sequence[float],
    width: float,
    common: np.ndarray | None,
) -> Judged:
    one, other = contrast
    most = len(known[one]) if other is None else min(len(known[one]), len(known[other]))
    found = Judged(contrast, "waiting", 0, None, None, None, looks[0])
    for place, (count, level) in enumerate(zip(looks, levels, strict=True)):
        if count > most:
            break
        cells = [known[cell][:count] for cell in contrast if cell is not None]
        moments = welch(np.stack(cells), [0], None) if other is None else welch(np.stack(cells), [0], [1], common)
        value, error, degrees = (float(moment[0]) for moment in moments)
        half = half_width(error, degrees, level)
        state: State = "open"
        if half is not None and half <= width:
            state = "narrow"
        if other is not None and float(p_value(*moments)[0]) < level:
            state = "differs"
        low, high = (None, None) if half is None else (value - half, value + half)
        wanted = count if state != "open" or place == len(looks) - 1 else looks[place + 1]
        found = Judged(contrast, state, count, value, low, high, wanted)
        if found.closed:
            break
    return found


def _before_gap(values: Sequence[float | None]) -> np.ndarray:
    """The values before the first missing one."""
    gap = next((place for place, value in enumerate(values) if value is None), len(values))
    return np.array(values[:gap], np.float64)
