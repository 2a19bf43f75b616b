"""Accuracy and VAL as public evaluators compute them: over a list of thresholds, first best, nearest point.

Only for comparison with numbers that were made so; ``verification.py`` has the exact forms. Distances, not scores: smaller is
more similar, and a pair is accepted if distance < threshold. Counts come from sorted distances, so a list of 4,000 thresholds
costs little more than one of 400.
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
    """Angle between vectors over pi, 0 to 1, from their cosine; cosines that rounding put beyond 1 are taken for 1."""
    return np.arccos(np.clip(np.asarray(cosines, np.float64), -1, 1)) / np.pi


def accepted(part: Part, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """(genuine accepted, impostors accepted) at each threshold, and how many pairs of either kind there are.

    Raises:
        ValueError: one kind of pair is absent.
    """
    distances, same = part
    both_kinds(same)
    genuine, impostor = np.sort(distances[same]), np.sort(distances[~same])
    return np.searchsorted(genuine, thresholds), np.searchsorted(impostor, thresholds), len(genuine), len(impostor)


def first_best(part: Part, thresholds: np.ndarray) -> float:
    """The most accurate threshold of the list; of several, the first."""
    genuine, impostor, _, impostors = accepted(part, thresholds)
    return float(thresholds[np.argmax(genuine + (impostors - impostor))])


def accuracy_at(part: Part, threshold: float) -> float:
    """Share of pairs that the threshold tells right."""
    distances, same = part
    return float(np.mean((distances < threshold) == same))


def youden(part: Part, steps: int = 1000) -> float:
    """The first of ``steps`` evenly spaced scores with the largest TAR - FAR (Youden's index).

    Unlike everything else here, of scores: higher is more similar, and a pair is accepted if score > threshold. The list runs
    from one step above the lowest score to the highest.
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
    """The threshold at which the FAR, a straight line between the listed thresholds, is ``far``; 0 if it never is.

    Where several listed thresholds have the same FAR, the last of them counts: the first-order spline that public code once
    drew through such points did so, and current versions of scipy refuse them.
    """
    _, impostor, _, impostors = accepted(part, thresholds)
    found = impostor / impostors
    return float(np.interp(far, found, thresholds)) if found.max() >= far else 0.0


def val_at(part: Part, threshold: float) -> tuple[float, float]:
    """(VAL, FAR) of a threshold."""
    genuine, impostor, genuines, impostors = accepted(part, np.array([threshold]))
    return int(genuine[0]) / genuines, int(impostor[0]) / impostors


def per_fold(values: Callable[[np.ndarray], np.ndarray], same: np.ndarray, held: list[np.ndarray]) -> list[tuple[Part, Part]]:
    """(training part, held-out part) of each fold; ``values(training rows)`` are the distances, which may depend on these."""
    found = []
    for out in held:
        distances = values(~out)
        found.append(((distances[~out], same[~out]), (distances[out], same[out])))
    return found


def corners(curve: Curve) -> np.ndarray:
    """int64: the points of the curve that public evaluators look at, from the last to the first.

    They leave the inner points of straight parts out, the point that accepts nothing apart.
    """
    kept = np.ones(len(curve.false), bool)
    kept[2:-1] = (np.diff(curve.false[1:], 2) != 0) | (np.diff(curve.accepted[1:], 2) != 0)
    return np.flatnonzero(kept)[::-1]


def nearest(curve: Curve, far: float, points: np.ndarray | None = None) -> tuple[float, float, float]:
    """(TAR, threshold, FAR) at the one of ``points`` whose FAR is nearest to ``far``, which may exceed it.

    ``points`` are ``corners(curve)``, for who asks more than once. Of two equally near points it is the one that accepts more.
    ``Curve.val`` never exceeds the target.
    """
    points = corners(curve) if points is None else points
    index = int(points[np.argmin(np.abs(curve.false[points] / curve.impostor - far))])
    return int(curve.accepted[index]) / curve.genuine, float(curve.thresholds[index]), int(curve.false[index]) / curve.impostor
