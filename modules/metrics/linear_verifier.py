"""A linear verifier on features of a pair of embeddings.

Feature maps of two embeddings a and b: ``difference`` |a - b|; ``product`` a * b; ``both``; ``chi_square`` (a - b)^2 / (a + b),
for embeddings without negative values, whose fitted weights are those of DeepFace's weighted chi-square (Taigman et al., CVPR
2014, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Features = Literal["difference", "product", "both", "chi_square"]
Loss = Literal["logistic", "svm"]


def chi_square(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Elementwise (a - b)^2 / (a + b); 0 where both are 0.

    Raises:
        ValueError: a value is negative.
    """
    if min(a.min(initial=0), b.min(initial=0)) < 0:
        raise ValueError("chi_square needs embeddings without negative values; difference, product and both take any")
    total = a + b
    return np.divide((a - b) ** 2, total, out=np.zeros_like(total), where=total > 0)


FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "difference": lambda a, b: np.abs(a - b),
    "product": lambda a, b: a * b,
    "both": lambda a, b: np.concatenate([np.abs(a - b), a * b], axis=1),
    "chi_square": chi_square,
}


@dataclass(frozen=True, eq=False)
class Linear:
    """Linear classifier, score = weights . features + bias; above 0 means genuine.

    Attributes:
        weights: float64 (F,).
        bias: float.
    """

    weights: np.ndarray
    bias: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """Scores (n,) float64 of (n, F) features."""
        return np.einsum("nf,f->n", features, self.weights) + self.bias


def fit(features: np.ndarray, same: np.ndarray, loss: Loss = "logistic", penalty: float = 1.0) -> Linear:
    """Minimizes penalty / 2 |w|^2 + the sum of losses on standardized features by L-BFGS in float64; the bias is unpenalized.

    ``logistic`` is log(1 + exp(-m)), ``svm`` max(0, 1 - m)^2; the margin m is the score, for impostors minus it.

    Args:
        features: (n, F) float.
        same: (n,) bool.
        loss: see above.
        penalty: above 0.

    Raises:
        ValueError: the loss is unknown, the penalty is not above 0, or the fit does not converge.
    """
    from scipy.optimize import minimize

    if loss not in ("logistic", "svm"):
        raise ValueError(f"there is no loss {loss}; logistic and svm are known")
    if not penalty > 0:
        raise ValueError(f"a penalty of {penalty} leaves the weights without bounds; it must be above 0")
    features = np.asarray(features, np.float64)
    middle, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    inputs = (features - middle) / scale
    signs = np.where(same, 1.0, -1.0)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights = values[:-1]
        margins = signs * (inputs @ weights + values[-1])
        if loss == "logistic":
            losses = np.logaddexp(0, -margins)
            slopes = -np.exp(-np.logaddexp(0, margins))
        else:
            short = np.maximum(1 - margins, 0)
            losses, slopes = short**2, -2 * short
        pull = signs * slopes
        return float(losses.sum() + penalty / 2 * weights @ weights), np.append(inputs.T @ pull + penalty * weights, pull.sum())

    start = np.zeros(features.shape[1] + 1)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "maxfun": 2000})
    if not found.success:
        raise ValueError(f"the verifier's fit did not end: {found.message}; a larger penalty helps")
    weights = found.x[:-1] / scale
    return Linear(weights, float(found.x[-1] - weights @ middle))
