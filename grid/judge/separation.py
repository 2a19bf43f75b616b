"""How far genuine scores lie above impostor scores, for many resamples of the subjects at once.

All pairs of images count: the images of a list of pairs have many more impostor pairs than the list, at no further embedding.
Two statistics:

* distance: (mean genuine - mean impostor) / standard deviation of impostor scores. It is the mean of genuine scores after
  Z-norm (Auckenthaler, Carey, Lloyd-Thomas: Score normalization for text-independent speaker verification systems. Digital
  Signal Processing 10, 2000) and Glass's effect size (Educational Researcher 5, 1976) with the impostor scores as controls.
  That some genuine pairs are harder than others is not in it, so two networks on the same pairs are distinguished well.
* d': the same by the root of the mean of both variances (Green and Swets, Signal Detection Theory, 1966).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SMALL = 1e-12


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of squares of the scores within each subject, and between each two of them.

    Attributes:
        genuine: float64 (3, subjects)
        impostor: float64 (3, subjects, subjects), symmetric, 0 on the diagonal; each pair of images counts twice
    """

    genuine: np.ndarray
    impostor: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, subjects: np.ndarray) -> Moments:
        """The moments of all pairs of images.

        Args:
            scores: float64 (images, images), symmetric
            subjects: int (images,), 0 to the number of subjects - 1
        """
        members = np.eye(int(subjects.max()) + 1)[subjects]  # (images, subjects)
        itself = np.diag(scores)
        powers = [np.ones_like(scores), scores, scores**2]
        between = np.stack([members.T @ power @ members for power in powers])
        own = np.stack([members.T @ itself**power for power in range(3)])
        within = (np.diagonal(between, axis1=1, axis2=2) - own) / 2
        return cls(within, between * (1 - np.eye(members.shape[1])))

    def statistics(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distance, d'), each (resamples,); NaN for a resample without a genuine or an impostor pair.

        Args:
            weights: (resamples, subjects), how often a resample has each subject; two copies of a subject are no pair
        """
        genuine = np.einsum("bs,ks->kb", weights, self.genuine)
        impostor = np.stack([((weights @ power) * weights).sum(axis=1) for power in self.impostor])
        with np.errstate(invalid="ignore", divide="ignore"):
            means, variances = zip(*(_mean_and_variance(*kind) for kind in (genuine, impostor)), strict=True)
            distance = (means[0] - means[1]) / np.maximum(np.sqrt(variances[1]), SMALL)
            return distance, (means[0] - means[1]) / np.maximum(np.sqrt((variances[0] + variances[1]) / 2), SMALL)


def resampled(subjects: int, resamples: int) -> np.ndarray:
    """Weights (1 + resamples, subjects): every subject once, then the bootstrap's draws with replacement."""
    draws = np.random.default_rng(0).multinomial(subjects, np.full(subjects, 1 / subjects), resamples)
    return np.vstack([np.ones(subjects), draws])


def _mean_and_variance(count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0.0)
