"""Simulated participants: signal detection with five choices and a known gain of accuracy by maps.

A participant sees evidence for "same": +d / 2 for genuine and -d / 2 for impostor pairs, plus the difficulty of the pair, which
is the same for everyone and in both passes, plus noise of a single look (Macmillan and Creelman: Detection Theory, 2005).
Criteria divide the evidence into five choices; that between "same" and "different" is 0, so both kinds of errors are equally
frequent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CRITERIA = (1.2, 0.0, -0.35, -1.2)  # between choices 1 to 5, in standard deviations of the evidence
RANGE = (0.51, 0.995)  # of a participant's true accuracy


@dataclass(frozen=True)
class Raters:
    """People like those of Zhong and Deng (Table I): 76 % with a standard deviation of 5 points.

    Attributes:
        accuracy: mean of the participants' true accuracy in the first pass
        spread: its standard deviation between participants; the observed one is larger, because of the finite number of pairs
        difficulty: standard deviation of the pairs' difficulty, in units of the noise of a single look
        gain_spread: standard deviation of the true gain from the first pass to the second, between participants
    """

    accuracy: float = 0.76
    spread: float = 0.04
    difficulty: float = 1.0
    gain_spread: float = 0.02

    def benefit(self, gain: float) -> float:
        """How much better a group with this gain is than one without, in the second pass: at most that, see ``RANGE``."""
        from scipy.special import ndtri

        normal = ndtri((np.arange(10_000) + 0.5) / 10_000)
        second = self.accuracy + np.hypot(self.spread, self.gain_spread) * normal
        return float(np.mean(np.clip(second + gain, *RANGE) - np.clip(second, *RANGE)))

    def choices(self, same: np.ndarray, gains: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """int64 (P, 2, N): choices from 1 to 5 of P participants in both passes.

        Args:
            same: bool (N,), the truth
            gains: (P,), mean gain of accuracy of each participant's group, as a share; none leaves ``RANGE``, see ``benefit``
        """
        from scipy.special import ndtri

        people = len(gains)
        first = generator.normal(self.accuracy, self.spread, people)
        second = first + gains + generator.normal(0, self.gain_spread, people)
        shares = np.clip(np.stack([first, second], axis=1), *RANGE)  # (P, 2)
        deviation = (1 + self.difficulty**2) ** 0.5
        half = ndtri(shares) * deviation  # d / 2, so that the accuracy over all pairs is the share
        evidence = half[:, :, None] * np.where(same, 1.0, -1.0)
        evidence += self.difficulty * generator.standard_normal(len(same))
        evidence += generator.standard_normal(evidence.shape)
        limits = deviation * np.array(CRITERIA)
        chosen: np.ndarray = 1 + (evidence[..., None] <= limits).sum(axis=-1)
        return chosen
