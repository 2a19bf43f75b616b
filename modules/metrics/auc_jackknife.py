"""The difference of two AUCs on the same pairs, tested over subjects: DeLong's test for pairs that share subjects.

DeLong's variance is that of the AUC's jackknife over pairs. Here whole subjects are left out (Arvesen, Ann. Math. Statist. 40,
1969), each with all of its pairs. Pairs of two subjects are left out twice, so what those of the same two add counts twice; it
is subtracted once, as in the variance for dyadic data (Aronow, Samii and Assenova, Political Analysis 23, 2015, Eq. 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import placements
from modules.metrics.pair_rates import of_two
from modules.metrics.paired_tests import Estimate, student
from modules.metrics.resampled_units import ResampledUnits


@dataclass(frozen=True)
class AUCJackknife:
    """The AUC of one network, without each subject and by pair.

    Attributes:
        value: the AUC.
        without: (S,), the AUC without the pairs of each of S subjects.
        influence: (K,) on the AUC, of the pairs of each two subjects together.
        fewest: (S,), the number of subjects with the same kind of pairs as each; of the rarer kind for those with both.
    """

    value: float
    without: np.ndarray
    influence: np.ndarray
    fewest: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, same: np.ndarray, subjects: tuple[np.ndarray, np.ndarray]) -> AUCJackknife | None:
        """None where leaving one subject out leaves no genuine or no impostor pair, or there are fewer than three subjects.

        Args:
            scores: (n,), higher is more similar.
            same: bool (n,).
            subjects: (n,) each, of the pairs' first and second images.
        """
        n = len(scores)
        names, who = np.unique(np.concatenate([np.asarray(side) for side in subjects]), return_inverse=True)
        left, right = who[:n], who[n:]
        two = left != right
        rows = np.concatenate([np.arange(n), np.flatnonzero(two)])
        order = np.argsort(np.concatenate([left, right[two]]), kind="stable")
        sizes = np.bincount(left, minlength=len(names)) + np.bincount(right[two], minlength=len(names))
        of_subject = np.split(rows[order], np.cumsum(sizes)[:-1])
        wins, losses = placements(scores, same)
        m, k = len(wins), len(losses)
        won = np.empty(n)  # by each pair: the comparisons of a genuine with an impostor pair in its favor
        won[same], won[~same] = wins * k, losses * m
        without = np.empty(len(names))
        for subject, pairs in enumerate(of_subject):
            kinds = same[pairs]
            genuine, impostor = int(kinds.sum()), int((~kinds).sum())
            if genuine == m or impostor == k:
                return None
            inner = float(placements(scores[pairs], kinds)[0].sum()) * impostor if genuine and impostor else 0.0
            lost = float(won[pairs].sum()) - inner  # those between two of its own pairs are in the sum twice
            without[subject] = (wins.sum() * k - lost) / ((m - genuine) * (k - impostor))
        value = float(wins.mean())
        influence = np.empty(n)
        influence[same], influence[~same] = (wins - value) / m, (losses - value) / k
        units = ResampledUnits.of(same, left, right)
        fewest = np.full(len(names), units.genuine)
        fewest[left[two]] = fewest[right[two]] = units.impostor
        fewest[left[same]] = np.minimum(fewest[left[same]], units.genuine)
        return cls(value, without, of_two(left[two], right[two], influence[two]), fewest) if len(names) > 2 else None

    @classmethod
    def mean(cls, found: Sequence[AUCJackknife]) -> AUCJackknife:
        """That of the mean AUC of several networks on the same pairs, which is linear in theirs."""
        value = sum(one.value for one in found) / len(found)
        without, influence = (np.mean([getattr(one, name) for one in found], axis=0) for name in ("without", "influence"))
        return cls(value, without, influence, found[0].fewest)

    def minus(self, other: AUCJackknife) -> Estimate:
        """This AUC minus another on the same pairs, by Student's t.

        There is one degree of freedom less than subjects with pairs of the rarer kind.
        """
        value = self.value - other.value
        gaps = self.without - other.without - value
        between = float(((self.influence - other.influence) ** 2).sum())
        product = float(((1 - 1 / self.fewest) * gaps**2).sum())
        units = int(self.fewest.min())
        return student(value, max(product - between, product / 2), units - 1, units)
