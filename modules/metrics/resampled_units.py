"""How many resampled units, such as subjects, a verification metric rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ResampledUnits:
    """Numbers of units: subjects, or pairs if the subjects are unknown.

    Only units with pairs of a kind say how the errors of this kind vary. A thousand subjects with impostor pairs alone are no
    evidence of a TAR.

    Attributes:
        genuine, impostor: units that have pairs of this kind; at least 2, and 3 subjects with impostor pairs.
        every: units that have pairs.
        sides: units of an impostor pair: 2, or 1 if pairs are resampled.
    """

    genuine: int
    impostor: int
    every: int
    sides: int = 2

    @classmethod
    def of(cls, same: np.ndarray, left: np.ndarray, right: np.ndarray) -> ResampledUnits:
        """The subjects of n pairs.

        Args:
            same: (n,) bool.
            left, right: (n,) int from 0, the subjects of each pair.
        """
        there = np.zeros((2, int(max(left.max(initial=0), right.max(initial=0))) + 1), bool)
        there[0, left[same]] = True
        there[1, left[~same]] = there[1, right[~same]] = True
        return cls(int(there[0].sum()), int(there[1].sum()), int(there.any(axis=0).sum()))

    def behind(self, metric: str) -> int:
        """The units that a metric rests on: of TAR at a FAR (``val:<far>``), which divides by genuine pairs, those that have
        some; of ``eer`` and ``auc``, those with pairs of the rarer kind; of accuracies, all.
        """
        if metric.startswith("val:"):
            return self.genuine
        return min(self.genuine, self.impostor) if metric in ("eer", "auc") else self.every

    def unbiased(self, metric: str) -> float:
        """The factor of the variance for the leverage of a unit, as in HC2 (MacKinnon and White, J. Econometrics 29, 1985).

        On average a subject takes part in 2 / ``impostor`` of the impostor pairs and in 1 / ``genuine`` of the genuine ones, so
        the means of these are that much nearer to its own. Of an accuracy, the pairs of both kinds are one.
        """
        if metric.startswith("val:") or metric in ("eer", "auc"):
            return 1 / (1 - max(1 / self.genuine, self.sides / self.impostor))
        return self.every / (self.every - self.sides)
