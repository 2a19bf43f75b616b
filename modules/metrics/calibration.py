"""Calibration of a classifier: reliability curve and expected calibration error.

Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017, Eq. 3: ECE is the mean over images of
|accuracy - mean confidence| of the image's confidence bin, with bins of equal width. The confidence of an image is the
probability of its predicted class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.metrics.intervals import effective
from modules.metrics.unit_bootstrap import INDEPENDENT, Draws, variance


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int, draws: Draws = INDEPENDENT) -> dict[str, Any]:
    """The expected calibration error and the reliability curve.

    Args:
        confidence: (N,), from 0 to 1; N at least 1
        correct: bool (N,)
        bins: number of bins of equal width: (0, 1 / bins], (1 / bins, 2 / bins], ...
        draws: how the images are resampled for the intervals

    Returns:
        ``ece``: an entry with ``value``, ``low`` and ``high``; the interval is Wilson's at the effective sample size, with the
        variance over resamples. ``reliability``: for each bin that has images ``from`` and ``to``, ``n``, mean ``confidence``,
        and ``accuracy`` (an entry).
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    assert confidence.shape == correct.shape == (len(confidence),), (confidence.shape, correct.shape)
    place, count = _bins(confidence, bins), len(confidence)
    parts = calibration_terms(confidence, correct, bins)
    sums, drawn = parts.sum(0), draws.sums(parts)
    value, units = float(expected_error(sums[None])[0]), draws.units(np.ones(count, bool))
    low, high = effective(value, variance(expected_error(drawn)) if units > 1 else 0.0, units, count)
    found = {"value": value, "low": low, "high": high, "n": count, "method": draws.method}
    curve = []
    for k in np.flatnonzero(sums[:bins]).tolist():
        count, right = int(sums[k]), float(sums[2 * bins + k])
        with np.errstate(invalid="ignore"):
            shares = drawn[:, 2 * bins + k] / drawn[:, k]
        low, high = draws.of(place == k).share_interval(right, count, shares)
        accuracy = {"value": right / count, "low": low, "high": high}
        confident = float(sums[bins + k] / count)
        curve.append({"from": k / bins, "to": (k + 1) / bins, "n": count, "confidence": confident, "accuracy": accuracy})
    return {"ece": found, "reliability": curve}


def calibration_terms(confidence: np.ndarray, correct: np.ndarray, bins: int) -> np.ndarray:
    """What each image adds to the sums, (N, 3 bins): of its bin, 1, its confidence, and whether it is correct."""
    place = _bins(confidence, bins)
    parts, rows = np.zeros((len(place), 3 * bins)), np.arange(len(place))
    for part, values in enumerate((np.ones(len(place)), confidence, np.asarray(correct, np.float64))):
        parts[rows, part * bins + place] = values
    return parts


def _bins(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.ceil(np.asarray(confidence) * bins).astype(np.int64) - 1, 0, bins - 1)


def expected_error(sums: np.ndarray) -> np.ndarray:
    """ECE (R,) of sums (R, 3 bins)."""
    count, confidence, correct = np.split(sums, 3, axis=1)
    return np.asarray(np.abs(correct - confidence).sum(1) / count.sum(1))
