"""LFW's settings: what a verifier may learn from the folds it is not evaluated on.

Huang, Learned-Miller: Labeled Faces in the Wild: updates and new reporting procedures. University of Massachusetts, Amherst,
UM-CS-2014-003.

- ``unsupervised``: nothing; only the threshold is chosen on the network's scores (``verification.ten_fold_accuracy``).
- ``restricted``: the pairs of the other folds and their genuine/impostor labels, but not the identities.
- ``unrestricted``: also the identities of the images of the other folds, so new pairs of these may be formed.

A separate verifier is fitted for each fold; neither the fold's pairs nor its subjects are used to fit it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from modules.metrics import linear_verifier, plda
from modules.metrics.roc import Curve
from modules.metrics.validation import both_kinds, held_out, labels
from modules.metrics.verification import over_folds


@dataclass(frozen=True, eq=False)
class Verified:
    """Results of one setting.

    Attributes:
        setting: name of the setting.
        scores: float64 (n,), each pair's score by its fold's verifier; the scale may differ between folds.
        accuracy: as ``verification.ten_fold_accuracy``.
        verifiers: one per fold, in the order of the fold numbers.
    """

    setting: str
    scores: np.ndarray
    accuracy: dict[str, Any]
    verifiers: tuple[linear_verifier.Linear | plda.Plda, ...]


def restricted(
    embeddings: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    *,
    features: linear_verifier.Features = "both",
    loss: linear_verifier.Loss = "logistic",
    penalty: float = 100.0,
) -> Verified:
    """Fits a linear verifier per fold on the other folds' pairs; a pair is accepted if its score is above 0.

    Args:
        embeddings: (N, D) float, usually of unit length.
        left: (n,) int, rows of the pairs' first images.
        right: (n,) int.
        same: (n,) bool.
        folds: (n,) int.
        features: see ``linear_verifier.py``.
        loss: see ``linear_verifier.fit``.
        penalty: see ``linear_verifier.fit``.

    Raises:
        ValueError: unknown feature map; fewer than two folds; the other folds lack genuine or impostor pairs; see
            ``linear_verifier.fit``.
    """
    if features not in linear_verifier.FEATURES:
        raise ValueError(f"there is no feature map {features}; known are {', '.join(linear_verifier.FEATURES)}")
    embeddings = np.asarray(embeddings, np.float64)
    inputs = linear_verifier.FEATURES[features](embeddings[left], embeddings[right])
    return fitted_per_fold(inputs, same, folds, loss=loss, penalty=penalty)


def fitted_per_fold(
    inputs: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray,
    *,
    loss: linear_verifier.Loss,
    penalty: float,
    formed: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Verified:
    """Per fold a linear verifier fitted on the pairs of the other folds, for any features of pairs: the restricted setting.

    Args:
        inputs: (n, F) float, features of each pair, which depend on no label.
        same: (n,) bool.
        folds: (n,) int.
        loss: see ``linear_verifier.fit``.
        penalty: see ``linear_verifier.fit``.
        formed: features (m, F), labels (m,) and folds (m,) of further pairs, formed from the identities of a fold's images: the
            unrestricted setting. They are fitted as the others are, and not evaluated.

    Raises:
        ValueError: fewer than two folds; the other folds lack genuine or impostor pairs; the lengths of ``formed`` differ; see
            ``linear_verifier.fit``.
    """
    same, folds = labels(same), np.asarray(folds)
    if formed is not None and len({len(part) for part in formed}) > 1:
        raise ValueError(f"formed pairs are three arrays of one length, found lengths {[len(part) for part in formed]}")
    scores, verifiers = np.zeros(len(same)), []
    held = held_out(folds, len(same))
    for number, out in zip(np.unique(folds), held, strict=True):
        features, known = inputs[~out], same[~out]
        if formed is not None:
            rest = np.asarray(formed[2]) != number
            features = np.concatenate([features, formed[0][rest]])
            known = np.concatenate([known, labels(formed[1])[rest]])
        both_kinds(known)
        verifiers.append(linear_verifier.fit(features, known, loss, penalty))
        scores[out] = verifiers[-1].score(inputs[out])
    setting = "restricted" if formed is None else "unrestricted"
    return _verified(setting, scores, same, held, [0.0] * len(held), verifiers)


def unrestricted(
    embeddings: np.ndarray, left: np.ndarray, right: np.ndarray, same: np.ndarray, folds: np.ndarray, subjects: np.ndarray
) -> Verified:
    """Fits a PLDA model (``plda.py``) per fold on the images of the other folds.

    The threshold must not be chosen on pairs the model was fitted on. So each of the other folds is scored by a model fitted
    without that fold and the held-out one, and the best threshold on all these scores is used: n (n - 1) / 2 further fits.

    Args:
        embeddings: (N, D) float.
        left: (n,) int, rows of the pairs' first images.
        right: (n,) int.
        same: (n,) bool.
        folds: (n,) int, at least three distinct values.
        subjects: (N,) int or text.

    Raises:
        ValueError: fewer than three folds; a subject or an image is in two folds (reports which); see ``plda.fit``.
    """
    same, folds = labels(same), np.asarray(folds)
    embeddings, subjects = np.asarray(embeddings, np.float64), np.asarray(subjects)
    held = held_out(folds, len(same))
    numbers = np.unique(folds)
    if len(numbers) < 3:
        raise ValueError(
            f"the unrestricted setting needs three folds at least, to fit, to choose, to evaluate; here are {len(numbers)}"
        )
    places = _fold_of_images(len(embeddings), left, right, folds, numbers)
    _subjects_apart(subjects, places, numbers)

    def fitted(*without: int) -> plda.Plda:
        rows = np.isin(places, [number for number in numbers if number not in without])
        return plda.fit(embeddings[rows], subjects[rows])

    def scored(model: plda.Plda, pairs: np.ndarray) -> np.ndarray:
        return model.score(embeddings[left[pairs]], embeddings[right[pairs]])

    inner = np.zeros((len(numbers), len(same)))
    for one, other in combinations(range(len(numbers)), 2):
        model = fitted(numbers[one], numbers[other])
        inner[one, held[other]] = scored(model, held[other])
        inner[other, held[one]] = scored(model, held[one])
    scores, verifiers, thresholds = np.zeros(len(same)), [], []
    for place, out in enumerate(held):
        thresholds.append(Curve.of(inner[place, ~out], same[~out]).best()[1])
        verifiers.append(fitted(numbers[place]))
        scores[out] = scored(verifiers[-1], out)
    return _verified("unrestricted", scores, same, held, thresholds, verifiers)


def _fold_of_images(count: int, left: np.ndarray, right: np.ndarray, folds: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Fold (count,) int of the pairs each image is in; a number below all folds for images in no pair."""
    places = np.full(count, numbers[0] - 1)
    for number in numbers:
        images = np.unique(np.concatenate([left[folds == number], right[folds == number]]))
        twice = images[places[images] >= numbers[0]]
        if len(twice):
            raise ValueError(
                f"image {twice[0]} is in pairs of folds {places[twice[0]]} and {number}; folds must not share images"
            )
        places[images] = number
    return places


def _subjects_apart(subjects: np.ndarray, places: np.ndarray, numbers: np.ndarray) -> None:
    used = places >= numbers[0]
    names, who = np.unique(subjects[used], return_inverse=True)
    low, high = np.full(len(names), numbers[-1]), np.full(len(names), numbers[0])
    np.minimum.at(low, who, places[used])
    np.maximum.at(high, who, places[used])
    shared = np.flatnonzero(low != high)
    if len(shared):
        who_first = shared[0]
        raise ValueError(
            f"subject {names[who_first]!s} is in folds {low[who_first]} and {high[who_first]}; folds must not share subjects"
        )


def _verified(
    setting: str, scores: np.ndarray, same: np.ndarray, held: list[np.ndarray], thresholds: list[float], verifiers: list[Any]
) -> Verified:
    accuracies = [
        float(np.mean((scores[out] >= threshold) == same[out])) for out, threshold in zip(held, thresholds, strict=True)
    ]
    return Verified(setting, scores, over_folds(accuracies, thresholds, len(same)), tuple(verifiers))
