"""Probabilistic LDA: a two-covariance model (between and within subjects).

The two-covariance model of probabilistic LDA (Ioffe: Probabilistic linear discriminant analysis. ECCV 2006; Brummer and de
Villiers: The speaker partitioning problem. Odyssey 2010), also known as the joint Bayesian model (Chen et al.: Bayesian face
revisited. ECCV 2012). An image is x = mean + subject + rest with subject ~ N(0, B), rest ~ N(0, W). The score of a pair is the
log likelihood ratio of same subject vs. different subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Plda:
    """The model in the basis in which W is the identity and B is diagonal.

    Attributes:
        mean: float64 (D,).
        base: float64 (D, K).
        between: float64 (K,), the diagonal of B in this basis, above 0.
    """

    mean: np.ndarray
    base: np.ndarray
    between: np.ndarray

    def score(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Log likelihood ratios (n,) float64 of (n, D) and (n, D); above 0 favors the same subject.

        In each direction of the basis, with v the entry of B, s = (a + b) and d = (a - b): for the same subject s has variance
        2 (1 + 2 v) and d has 2; for different subjects both have 2 (1 + v).
        """
        a, b = (left - self.mean) @ self.base, (right - self.mean) @ self.base
        v = self.between
        plus = (1 / (1 + v) - 1 / (1 + 2 * v)) / 4
        minus = (1 / (1 + v) - 1) / 4
        constant = float((np.log1p(v) - np.log1p(2 * v) / 2).sum())
        return np.einsum("nk,k->n", (a + b) ** 2, plus) + np.einsum("nk,k->n", (a - b) ** 2, minus) + constant


def fit(embeddings: np.ndarray, subjects: np.ndarray, shrink: float = 0.1) -> Plda:
    """Estimates B and W by moments: W is the pooled within-subject covariance; B that of subject means minus W's part of it.

    Args:
        embeddings: (n, D) float.
        subjects: (n,) int or text.
        shrink: 0 to 1; the fraction of W that is replaced by a multiple of the identity with the same trace.

    Raises:
        ValueError: no subject has two images or there is only one subject; W is zero, or nothing is left of B.
    """
    from scipy.linalg import eigh

    embeddings = np.asarray(embeddings, np.float64)
    _, who, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    total, people = len(embeddings), len(counts)
    if people < 2 or total == people:
        raise ValueError(f"{total} images of {people} subjects cannot show how subjects differ and how images of one do")
    if not 0 <= shrink <= 1:
        raise ValueError(f"a shrinkage of {shrink} is no share; 0 to 1 are")
    mean = embeddings.mean(axis=0)
    centers = np.zeros((people, embeddings.shape[1]))
    np.add.at(centers, who, embeddings)
    centers /= counts[:, None]
    rest = embeddings - centers[who]
    within = rest.T @ rest / (total - people)
    offset = (centers - mean) * np.sqrt(counts)[:, None]
    # The expected scatter of the centers is (people - 1) W + (total - sum of squares / total) B: analysis of variance.
    size = (total - float((counts**2).sum()) / total) / (people - 1)
    between = (offset.T @ offset / (people - 1) - within) / size
    level = float(np.trace(within)) / len(within)
    if not level > 0:
        raise ValueError("the images of each subject have one and the same embedding; there is nothing to fit")
    within = (1 - shrink) * within + shrink * level * np.eye(len(within))
    values, vectors = eigh(between, within)
    kept = values > 1e-9 * max(float(values[-1]), 0.0)
    if not kept.any():
        raise ValueError("subjects differ no more than images of one subject do; there is nothing to tell them apart by")
    return Plda(mean, vectors[:, kept], values[kept])
