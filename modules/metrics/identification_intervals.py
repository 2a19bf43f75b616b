"""95 % confidence intervals of rank k and DIR at FAR by a bootstrap over the subjects of the probes.

A subject has several probes, which fail together, so an interval that counts probes as independent is too narrow. Here subjects
are drawn with replacement, each with all its probes, mated and non-mated, in all galleries. Each resample has its own threshold
for DIR, chosen on its own non-mated probes. The galleries stay as they are, so what other gallery entries would change as
impostors is not in the intervals.

The interval is Wilson's at the effective sample size of the bootstrap variance (``intervals.effective``), as its width is never
0. Both shares divide by mated probes, so their subjects are counted: not their probes, and not the subjects outside of all
galleries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.identification import Search
from modules.metrics.intervals import effective
from modules.metrics.subject_bootstrap import times_drawn

Interval = tuple[float, float]
WEIGHTS = 4_000_000  # in memory


@dataclass(frozen=True)
class IdentificationIntervals:
    """Intervals of means over the galleries.

    Attributes:
        cmc: by rank
        dir: by FAR
        subjects: number of subjects with probes
        resamples: number of resamples
    """

    cmc: Mapping[int, Interval]
    dir: Mapping[float, Interval]
    subjects: int
    resamples: int


def identification_intervals(
    found: Sequence[Search],
    who: np.ndarray,
    ranks: Sequence[int],
    fars: Sequence[float],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> IdentificationIntervals:
    """Intervals of ``cmc`` and of ``dir_at_far`` with rank 1, each the mean over the galleries, from the same resamples.

    Args:
        found: the search of the same P probes in each gallery
        who: (P,) int or text, the subjects of the probes
        ranks: at least 1
        fars: FAR targets
        resamples: at least 2
        seed: of the resampling

    Raises:
        ValueError: the probes are of fewer than two subjects, or in some gallery all mated probes, or for ``fars`` all
            non-mated ones, are of one subject.
    """
    names, place = np.unique(np.asarray(who), return_inverse=True)
    for one in found:
        counts = [len(np.unique(place[kind])) for kind in (one.mated, ~one.mated)]
        if counts[0] < 2 or (fars and counts[1] < 2):
            raise ValueError(
                f"mated probes are of {counts[0]} and non-mated ones of {counts[1]} subjects; resampling needs at least 2"
            )
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, WEIGHTS // len(place)))
    drawn: dict[tuple[str, float], list[np.ndarray]] = {}
    for start in range(0, resamples, block):
        times = times_drawn(generator, len(names), min(block, resamples - start))
        for key, values in _shares(found, times[:, place], ranks, fars).items():
            drawn.setdefault(key, []).append(values)
    whole = _shares(found, np.ones((1, len(place)), np.int64), ranks, fars)
    trials = int(np.sum([one.mated.sum() for one in found]))
    ever = np.any([one.mated for one in found], axis=0)
    fewest = min(len(np.unique(place[one.mated])) for one in found)
    # A gallery with few mated subjects has the weight of the others.
    units = min(len(np.unique(place[ever])), len(found) * fewest)
    ends = {}
    for key, parts in drawn.items():
        values = np.concatenate(parts)
        ends[key] = effective(float(whole[key][0]), float(values[np.isfinite(values)].var(ddof=1)), units, trials)
    return IdentificationIntervals(
        {rank: ends["cmc", rank] for rank in ranks}, {far: ends["dir", far] for far in fars}, len(names), resamples
    )


def _shares(
    found: Sequence[Search], weights: np.ndarray, ranks: Sequence[int], fars: Sequence[float]
) -> dict[tuple[str, float], np.ndarray]:
    """Each share (rows,), the mean over the galleries, of probes with weights (rows, P) int; NaN if undefined."""
    out: dict[tuple[str, float], np.ndarray] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for rank in ranks:
            out["cmc", rank] = np.mean([_mated(one, weights, one.above + one.tied < rank) for one in found], axis=0)
        for far in fars:
            out["dir", far] = np.mean([_dir(one, weights, far) for one in found], axis=0)
    return out


def _mated(one: Search, weights: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """(rows,): the weighted share of the mated probes that are hits; ``hit`` is bool (P,)."""
    mated = weights[:, one.mated]
    return (mated @ hit[one.mated]) / mated.sum(axis=1)  # type: ignore[no-any-return]


def _dir(one: Search, weights: np.ndarray, far: float) -> np.ndarray:
    """(rows,): ``dir_at_far`` of weighted probes."""
    free = np.flatnonzero(~one.mated)
    falling = free[np.argsort(-one.top[free], kind="stable")]
    top = one.top[falling]
    last = np.flatnonzero(np.append(top[1:] != top[:-1], True))  # equal scores are accepted together
    accepted = np.cumsum(weights[:, falling], axis=1)[:, last]
    beyond = accepted / accepted[:, -1:] > far
    levels = np.append(top[last], np.float32(-np.inf))
    limit = levels[np.where(beyond.any(axis=1), beyond.argmax(axis=1), len(last))]  # the highest score to reject
    hits = np.flatnonzero(one.mated & (one.above + one.tied < 1))
    above = one.mate[hits][None, :] > limit[:, None]
    share = (weights[:, hits] * above).sum(axis=1) / weights[:, one.mated].sum(axis=1)
    return np.where(accepted[:, -1] > 0, share, np.nan)
