"""Accuracy and VAL as computed by public evaluators: over a list of thresholds, first best, nearest point.

Only for comparison with published numbers computed this way; ``verification.py`` has the exact forms. Uses distances, not
scores: smaller is more similar, and a pair is accepted if distance < threshold. Counts come from sorted distances, so 4,000
thresholds cost little more than 400.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modules.metrics.roc import Curve
from modules.metrics.validation import both_kinds

Part = tuple[np.ndarray, np.ndarray]  # distances and labels of some pairs


def squared_distance(cosines: np.ndarray) -> np.ndarray:
    """Squared Euclidean distance of unit vectors, 0 to 4, from their cosine."""
    return 2 - 2 * np.asarray(cosines, np.float64)


def angle(cosines: np.ndarray) -> np.ndarray:
    """Angle between vectors divided by pi, 0 to 1, from their cosine; cosines rounded beyond 1 are clipped."""
    return np.arccos(np.clip(np.asarray(cosines, np.float64), -1, 1)) / np.pi


def accepted(part: Part, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """(Genuine accepted, impostors accepted) at each threshold, and the numbers of genuine and impostor pairs.

    Raises:
        ValueError: there are no genuine or no impostor pairs.
    """
    distances, same = part
    both_kinds(same)
    genuine, impostor = np.sort(distances[same]), np.sort(distances[~same])
    return np.searchsorted(genuine, thresholds), np.searchsorted(impostor, thresholds), len(genuine), len(impostor)


def first_best(part: Part, thresholds: np.ndarray) -> float:
    """The most accurate threshold of the list; the first one on ties."""
    genuine, impostor, _, impostors = accepted(part, thresholds)
    return float(thresholds[np.argmax(genuine + (impostors - impostor))])


def accuracy_at(part: Part, threshold: float) -> float:
    """Fraction of pairs classified correctly at the threshold."""
    distances, same = part
    return float(np.mean((distances < threshold) == same))


def youden(part: Part, steps: int = 1000) -> float:
    """The first of ``steps`` evenly spaced scores with the largest TAR - FAR (Youden's index).

    Unlike the rest of this module, it takes scores: higher is more similar, and a pair is accepted if score > threshold. The
    list runs from one step above the lowest score to the highest.
    """
    scores, same = part
    both_kinds(same)
    low, high = np.min(scores), np.max(scores)
    thresholds = low + (high - low) / steps * np.arange(1, steps + 1)
    genuine, impostor = np.sort(scores[same]), np.sort(scores[~same])
    tar = (len(genuine) - np.searchsorted(genuine, thresholds, side="right")) / len(genuine)
    far = (len(impostor) - np.searchsorted(impostor, thresholds, side="right")) / len(impostor)
    return float(thresholds[np.argmax(tar - far)])


def interpolated(part: Part, thresholds: np.ndarray, far: float) -> float:
    """The threshold at which the FAR, interpolated linearly between the listed thresholds, is ``far``; 0 if it never is.

    If several listed thresholds have the same FAR, the last one is used, as did the first-order spline of public code;
    current versions of scipy reject such points.
    """
    _, impostor, _, impostors = accepted(part, thresholds)
    found = impostor / impostors
    return float(np.interp(far, found, thresholds)) if found.max() >= far else 0.0


def val_at(part: Part, threshold: float) -> tuple[float, float]:
    """Returns (VAL, FAR) at a threshold."""
    genuine, impostor, genuines, impostors = accepted(part, np.array([threshold]))
    return int(genuine[0]) / genuines, int(impostor[0]) / impostors


def per_fold(values: Callable[[np.ndarray], np.ndarray], same: np.ndarray, held: list[np.ndarray]) -> list[tuple[Part, Part]]:
    """(Training part, held-out part) of each fold; ``values(training rows)`` gives the distances, which may depend on them."""
    found = []
    for out in held:
        distances = values(~out)
        found.append(((distances[~out], same[~out]), (distances[out], same[out])))
    return found


def corners(curve: Curve) -> np.ndarray:
    """Indices, int64, of the curve points used by public evaluators, from last to first.

    Interior points of straight segments are dropped; the point that accepts nothing is kept and belongs to no segment.
    """
    kept = np.ones(len(curve.false), bool)
    kept[2:-1] = (np.diff(curve.false[1:], 2) != 0) | (np.diff(curve.accepted[1:], 2) != 0)
    return np.flatnonzero(kept)[::-1]


def nearest(curve: Curve, far: float, points: np.ndarray | None = None) -> tuple[float, float, float]:
    """Returns (TAR, threshold, FAR) at the one of ``points`` whose FAR is nearest to ``far``; its FAR may exceed ``far``.

    ``points`` are ``corners(curve)``; pass them to avoid recomputation. Of two equally near points, the one that accepts more
    is used. In contrast, ``Curve.val`` never exceeds the target.
    """
    points = corners(curve) if points is None else points
    index = int(points[np.argmin(np.abs(curve.false[points] / curve.impostor - far))])
    return int(curve.accepted[index]) / curve.genuine, float(curve.thresholds[index]), int(curve.false[index]) / curve.impostor
