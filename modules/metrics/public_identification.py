"""1:N identification as computed by public evaluators, whose numbers differ from ``identification.py`` on equal embeddings.

| reading | galleries | threshold: the scores it is chosen from | how many of them it accepts | hit |
|---|---|---|---|---|
| ``exact`` | apart, then the mean | the highest of each non-mated probe | at most the target share | rank 1 |
| ``pfe`` | apart, then the mean | the highest of each non-mated probe | the target share, rounded | rank 1 |
| ``insightface`` | joined | all of probes and entries that are no mates | target x probes, up, less 1 | any rank |

``exact`` is ``identification.dir_at_far``. ``pfe`` is the evaluator of Probabilistic Face Embeddings (Shi and Jain, ICCV
2019), which may exceed the target. ``insightface`` is the 1:N evaluator of InsightFace: its "FAR" is the number of false
candidates for a probe, so several can come from one probe, and hits need not have rank 1. Both rank in the joined galleries for
the closed set, where every probe is mated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.identification import SCORES, Search

EPSILON = 1e-8  # of PFE, above the highest score


@dataclass(frozen=True)
class Joined:
    """A search in one gallery that has every probe's subject once.

    Attributes:
        mate: float64 (P,), the score of each probe's mate.
        rank: int64 (P,), number of entries with a higher score than the mate; the first is 0.
        others: float64, decreasing: the highest scores of non-mates, as many as asked for.
    """

    mate: np.ndarray
    rank: np.ndarray
    others: np.ndarray

    def dir_at_far(self, far: float) -> tuple[float, float]:
        """Returns (share of probes whose mate is above the threshold, the threshold), as InsightFace."""
        place = math.ceil(len(self.mate) * far)
        threshold = float(self.others[place - 1])
        return int((self.mate > threshold).sum()) / len(self.mate), threshold

    def cmc(self, rank: int) -> float:
        """The share of probes whose mate has this rank or better."""
        return int((self.rank < rank).sum()) / len(self.rank)


def joined_search(gallery: np.ndarray, subjects: np.ndarray, probes: np.ndarray, who: np.ndarray, far: float) -> Joined:
    """Searches the joined gallery, in float64; keeps the scores of non-mates that thresholds up to ``far`` need.

    Args:
        gallery: (G, D) float.
        subjects: (G,), all different.
        probes: (P, D) float.
        who: (P,), the subjects of the probes.
        far: the largest target of ``dir_at_far``.

    Raises:
        ValueError: a probe's subject is not in the gallery once, or the gallery is too small for ``far``.
    """
    names, first, counts = np.unique(subjects, return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(names, who), len(names) - 1)
    if len(bad := np.flatnonzero((names[place] != who) | (counts[place] > 1))):
        raise ValueError(
            f"{len(bad)} of {len(who)} probes have no single mate in the joined galleries, which this evaluator needs"
        )
    column = first[place]
    kept = math.ceil(len(probes) * far)
    if not 0 < kept <= len(probes) * (len(gallery) - 1):
        raise ValueError(f"{len(probes)} probes and {len(gallery)} gallery entries cannot show a FAR of {far:g}")
    entries = gallery.astype(np.float64).T
    mate, rank = np.empty(len(probes)), np.empty(len(probes), np.int64)
    others = np.empty(0)
    block = max(1, SCORES // len(gallery))
    for start in range(0, len(probes), block):
        part = slice(start, min(start + block, len(probes)))
        found = probes[part].astype(np.float64) @ entries
        rows = np.arange(len(found))
        mate[part] = found[rows, column[part]]
        rank[part] = (found > mate[part][:, None]).sum(axis=1)
        found[rows, column[part]] = -np.inf
        others = np.concatenate([others, found[found > -np.inf]])
        if len(others) > kept:
            others = np.partition(others, len(others) - kept)[-kept:]
    return Joined(mate, rank, np.sort(others)[::-1])


def pfe(searches: Sequence[Search], far: float) -> tuple[float, list[float], list[float]]:
    """Returns (DIR, mean over the galleries; the threshold and the obtained FAR of each), as PFE's evaluator.

    Raises:
        ValueError: in some gallery all probes or none are mated.
    """
    shares, thresholds, fars = [], [], []
    for one in searches:
        top = np.sort(one.top[~one.mated].astype(np.float64))[::-1]
        if not len(top) or not one.mated.any():
            raise ValueError("open-set identification needs mated and non-mated probes in each gallery")
        accepted = int(np.round(len(top) * far))
        threshold = float(top[accepted - 1]) if accepted else float(top[0]) + EPSILON
        hit = (one.above + one.tied < 1) & (one.mate >= threshold)
        shares.append(int(hit[one.mated].sum()) / int(one.mated.sum()))
        thresholds.append(threshold)
        fars.append(int((top >= threshold).sum()) / len(top))
    return float(np.mean(shares)), thresholds, fars
