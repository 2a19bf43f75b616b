"""Errors of predicted numbers, such as ages: mean absolute error, and the cumulative score.

CS@t, the share of images whose absolute error is at most t, is from Geng, Zhou, Smith-Miles: Automatic age estimation based on
facial aging patterns. TPAMI 29, 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.metrics.intervals import percentiles
from modules.metrics.unit_bootstrap import INDEPENDENT, Draws
from modules.metrics.validation import check_numbers


def absolute_error(truth: np.ndarray, predicted: np.ndarray, tolerance: float, draws: Draws = INDEPENDENT) -> dict[str, Any]:
    """``mae``, in the unit of the numbers, and ``cumulative_score`` at ``tolerance``: entries with ``value``, ``low`` and
    ``high``.

    The interval of the MAE is the percentile bootstrap over images, or over subjects if they are known; it has no interval if
    all errors are equal. That of the cumulative score is Wilson's, over subjects at the effective sample size.

    Args:
        truth: float (N,), N at least 1
        predicted: float (N,)
        tolerance: at least 0
        draws: how the images are resampled

    Raises:
        ValueError: a prediction is not finite; gives the first row.
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    assert truth.shape == predicted.shape == (len(truth),), (truth.shape, predicted.shape)
    check_numbers(predicted, "prediction")
    terms = error_terms(truth, predicted, tolerance)
    errors, inside = terms[:, 0], terms[:, 1]
    drawn = draws.sums(terms)
    means, shares = drawn[:, 0] / drawn[:, 2], drawn[:, 1] / drawn[:, 2]
    low, high = percentiles(means)
    mae = {"value": float(errors.mean()), "low": low, "high": high, "n": len(errors), "method": draws.method}
    if high - low <= 1e-12 * max(high, 1.0):
        mae |= {"low": None, "high": None}
    low, high = draws.share_interval(inside.sum(), len(inside), shares)
    method = "Wilson" if draws.subjects is None else draws.method
    score = {
        "value": float(inside.mean()),
        "low": low,
        "high": high,
        "n": len(inside),
        "tolerance": tolerance,
        "method": method,
    }
    return {"mae": mae, "cumulative_score": score}


def error_terms(truth: np.ndarray, predicted: np.ndarray, tolerance: float) -> np.ndarray:
    """What each image adds to the sums, (N, 3): its absolute error, whether that is at most ``tolerance``, and 1."""
    errors = np.abs(np.asarray(predicted, np.float64) - np.asarray(truth, np.float64))
    return np.stack([errors, errors <= tolerance, np.ones(len(errors))], axis=1)
