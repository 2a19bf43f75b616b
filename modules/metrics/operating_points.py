"""Error rates at thresholds for a target false match rate, each chosen on other subjects than those it is reported on.

FMR (false match rate, also FAR) is the share of impostor pairs with a score at or above the threshold, FNMR (false non-match
rate, also FRR) that of genuine pairs below it. Subjects are divided into groups at random; a pair is decided at the lowest
score whose FMR, over the impostor pairs without a subject of the pair's groups, is at most the target. A threshold chosen
on the pairs that it is reported on meets the target FMR by construction, and says nothing of other people.

FTE (failure to enroll, here to detect a face) leaves a pair without a score. Rates are given outside of these failures, over
the pairs that were compared, and with them (ISO/IEC 19795-1: generalized rates): a pair that could not be compared does not
match, which is an error of a genuine pair.

N impostor pairs cannot show an FMR below 1 / N, and below 10 / N fewer than ten of them decide. Both are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modules.metrics.pair_rates import PairRate
from modules.metrics.roc import allowed
from modules.metrics.validation import checked

GROUPS, SEED = 5, 0  # of subjects; a pair's thresholds come from the other groups
FEW = 10  # accepted impostor pairs
METHOD = "subjects, thresholds as chosen"
MEASURED, FEW_ERRORS, EXTRAPOLATED = "measured", "few errors", "extrapolated"


def operating_points(
    scores: np.ndarray,
    same: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    fmrs: Sequence[float] = (1e-1, 1e-2, 1e-3),
    *,
    failed: np.ndarray | None = None,
) -> dict[str, Any]:
    """The rates at each target FMR, as a JSON value by the target FMR.

    Each has ``fmr`` and ``fnmr`` over the pairs that were compared, ``fmr_with_failures`` and ``fnmr_with_failures`` over all
    pairs: ``value``, a 95 % interval over subjects (``low``, ``high``) that takes the thresholds as given, ``errors`` and
    ``n``. ``threshold`` is the median over pairs, from ``lowest`` to ``highest``. ``support`` is "measured"; "few errors" if
    fewer than ten impostor pairs decide some threshold; "extrapolated" if it is above all impostor scores it was chosen from.

    Args:
        scores: (n,) float, higher is more similar; ignored where ``failed``.
        same: (n,) bool.
        left, right: (n,) int or text, the subjects of the pairs.
        fmrs: target rates, above 0.
        failed: (n,) bool, pairs with an image that has no usable face; None: no pair.

    Raises:
        ValueError: a target rate is not between 0 and 1; a score is not finite; there are too few subjects, so that some
            threshold has no impostor pairs to be chosen from.
    """
    for fmr in fmrs:
        if not 0 < fmr < 1:
            raise ValueError(f"a target FMR is above 0 and below 1; found {fmr:g}")
    lost = np.zeros(len(same), bool) if failed is None else np.asarray(failed, bool)
    left, right = np.asarray(left), np.asarray(right)
    compared = ~lost
    found, genuine = checked(np.asarray(scores)[compared], np.asarray(same)[compared])
    thresholds, chosen_from = _thresholds(found, genuine, left[compared], right[compared], fmrs)
    points: dict[str, Any] = {}
    same = np.asarray(same, bool)
    for number, fmr in enumerate(fmrs):
        accepted = np.zeros(len(lost), bool)
        accepted[compared] = found >= thresholds[:, number]
        points[f"{fmr:g}"] = {
            "wished": fmr,
            "threshold": float(np.median(thresholds[:, number])),
            "lowest": float(thresholds[:, number].min()),
            "highest": float(thresholds[:, number].max()),
            "support": support(fmr, chosen_from),
            "fmr": _rate(accepted, ~same & compared, left, right),
            "fnmr": _rate(~accepted, same & compared, left, right),
            "fmr_with_failures": _rate(accepted, ~same, left, right),
            "fnmr_with_failures": _rate(~accepted, same, left, right),
        }
    return points


def support(fmr: float, impostors: int) -> str:
    """What a threshold for this FMR rests on, if chosen from that many impostor pairs."""
    return EXTRAPOLATED if fmr * impostors < 1 else FEW_ERRORS if fmr * impostors < FEW else MEASURED


def failure_to_enroll(failed: np.ndarray, subjects: np.ndarray) -> dict[str, Any]:
    """The share of images without a usable face, with its 95 % interval over subjects; ``errors`` of ``n`` images.

    Args:
        failed: bool (images,).
        subjects: (images,).
    """
    return _entry(PairRate.of(np.asarray(failed, bool), subjects, subjects))


def _rate(errors: np.ndarray, those: np.ndarray, left: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    return _entry(PairRate.of(errors[those], left[those], right[those]))


def _entry(rate: PairRate) -> dict[str, Any]:
    low, high = rate.interval
    return {"value": rate.value, "low": low, "high": high, "method": METHOD, "errors": rate.errors, "n": rate.pairs}


def _thresholds(
    scores: np.ndarray, same: np.ndarray, left: np.ndarray, right: np.ndarray, fmrs: Sequence[float]
) -> tuple[np.ndarray, int]:
    """(n, fmrs): the thresholds that decide each pair; and the fewest impostor pairs that one was chosen from."""
    names, who = np.unique(np.concatenate([left, right]), return_inverse=True)
    group = np.random.default_rng(SEED).permutation(np.arange(len(names)) % GROUPS)
    one, other = np.sort([group[who[: len(left)]], group[who[len(left) :]]], axis=0)
    out = np.empty((len(scores), len(fmrs)))
    fewest = len(scores)
    for first, second in np.unique(np.stack([one, other], axis=1), axis=0):
        decided = (one == first) & (other == second)
        aside = ~np.isin(one, (first, second)) & ~np.isin(other, (first, second))
        impostors = int((aside & ~same).sum())
        if not impostors:
            raise ValueError(
                f"{len(names)} subjects in {GROUPS} groups: for some pairs, no impostor pair of other subjects is left"
            )
        fewest = min(fewest, impostors)
        impostor = np.sort(scores[aside & ~same])
        out[decided] = [threshold_for(impostor, fmr) for fmr in fmrs]
    return out, fewest


def threshold_for(impostor_scores: np.ndarray, fmr: float) -> float:
    """The lowest impostor score at which at most this share is accepted; just above the highest score if none may be.

    Of new impostor pairs, the m-th highest of N scores is expected to accept m / (N + 1), which is below the target rate; any
    lower threshold, down to the next score, accepts the same pairs here and more of the new ones.

    Args:
        impostor_scores: (N,), increasing.
        fmr: from 0 to 1.
    """
    count = len(impostor_scores)
    most = allowed(fmr, count)
    limit = impostor_scores[count - most - 1] if most < count else -np.inf  # the highest score to reject
    place = int(np.searchsorted(impostor_scores, limit, side="right"))
    return float(impostor_scores[place] if place < count else np.nextafter(impostor_scores[-1], np.inf))
