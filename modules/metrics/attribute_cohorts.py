"""Attribute metrics of each cohort of images, and how far they are apart.

The value and the interval of a metric in a cohort are those of the cohort's images alone. Differences come from resamples of
all compared images (``modules.metrics.cohort_gaps``): every metric is a function of sums over images, so that of a cohort in a
resample is the one of the cohort's sums.

Balanced accuracy and macro F1 are means over the classes that a cohort has (``n`` of the entry): where cohorts have different
classes, the means do, too. The calibration error of few images is biased upward, which adds to the gap between a small and a
large cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from modules.metrics.absolute_error import absolute_error, error_terms
from modules.metrics.calibration import calibration, calibration_terms, expected_error
from modules.metrics.classification import Rates, cell_terms, classification
from modules.metrics.cohort_gaps import Resampled, differences, gap
from modules.metrics.unit_bootstrap import INDEPENDENT, Draws

FEWEST = 2  # subjects or images; of one there is no spread
RATES = ("precision", "recall", "f1")
Key = tuple[str, int]
"""A metric and the class it belongs to; -1: none."""


@dataclass(frozen=True)
class Attribute:
    """The predictions of one attribute for N images.

    Attributes:
        draws: how the images are resampled
        terms: sparse matrix (N, M), what each image adds to the sums
        statistics: sums (R, M) to the values (R,) of every metric
        entries: the metrics of the images that a mask (N,) marks, with their own intervals
        shares: whether a metric is in [0, 1]
    """

    draws: Draws
    terms: Any
    statistics: Callable[[np.ndarray], Mapping[Key, np.ndarray]]
    entries: Callable[[np.ndarray], Mapping[Key, Mapping[str, Any]]]
    shares: Callable[[str], bool]


def of_classes(
    truth: np.ndarray, probabilities: np.ndarray, draws: Draws = INDEPENDENT, *, ordered: bool, bins: int
) -> Attribute:
    """True classes int (N,) and predicted probabilities (N, K); see ``classification`` and ``calibration``."""
    from scipy import sparse

    classes, predicted, confidence = probabilities.shape[1], probabilities.argmax(1), probabilities.max(1)
    cells = classes * classes

    def statistics(sums: np.ndarray) -> Mapping[Key, np.ndarray]:
        rates = Rates(sums[:, :cells].reshape(-1, classes, classes))
        by_class = {name: np.asarray(getattr(rates, name)) for name in RATES}
        found: dict[Key, np.ndarray] = {
            ("accuracy", -1): rates.accuracy,
            ("balanced_accuracy", -1): _mean(by_class["recall"]),
            ("macro_f1", -1): _mean(by_class["f1"]),
        }
        with np.errstate(invalid="ignore", divide="ignore"):
            if ordered:
                found["off_by_one", -1] = rates.within(1) / rates.total
            found["ece", -1] = expected_error(sums[:, cells:])
        return found | {(name, k): values[:, k] for name, values in by_class.items() for k in range(classes)}

    def entries(mask: np.ndarray) -> Mapping[Key, Mapping[str, Any]]:
        found = classification(truth[mask], predicted[mask], classes, draws.of(mask), ordered=ordered)
        found |= calibration(confidence[mask], predicted[mask] == truth[mask], bins, draws.of(mask))
        whole = {(name, -1): one for name, one in found.items() if isinstance(one, Mapping)}
        return whole | {(name, k): one[name] for k, one in enumerate(found["classes"]) for name in RATES}

    terms = sparse.hstack(
        [cell_terms(truth, predicted, classes), calibration_terms(confidence, predicted == truth, bins)], format="csr"
    )
    return Attribute(draws, terms, statistics, entries, lambda name: True)


def of_numbers(truth: np.ndarray, predicted: np.ndarray, draws: Draws = INDEPENDENT, *, tolerance: float) -> Attribute:
    """True and predicted numbers (N,); see ``absolute_error``."""
    from scipy import sparse

    def statistics(sums: np.ndarray) -> Mapping[Key, np.ndarray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return {("mae", -1): sums[:, 0] / sums[:, 2], ("cumulative_score", -1): sums[:, 1] / sums[:, 2]}

    def entries(mask: np.ndarray) -> Mapping[Key, Mapping[str, Any]]:
        found = absolute_error(truth[mask], predicted[mask], tolerance, draws.of(mask))
        return {(name, -1): one for name, one in found.items()}

    terms = sparse.csr_matrix(error_terms(truth, predicted, tolerance))
    return Attribute(draws, terms, statistics, entries, lambda name: name != "mae")


def compare_cohorts(attribute: Attribute, cohorts: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Every metric of every cohort with at least two subjects (or images, where subjects are unknown).

    Args:
        attribute: of N images
        cohorts: int (N,), index into ``names``; -1: unknown, left out
        names: of the cohorts

    Returns:
        ``unknown``: number of images without a cohort; ``images``: number of images of each compared cohort; ``left_out``: that
        of each cohort that is too small; ``metrics``: for each ``Key`` the ``cohorts`` (an entry for each cohort that
        has a value), their ``differences`` from the rest of the images, and the ``gap`` (an entry); the last two are missing
        where fewer than two cohorts have a value
    """
    inside = cohorts >= 0
    masks = {name: cohorts == number for number, name in enumerate(names) if (cohorts == number).any()}
    units = {name: attribute.draws.units(mask) for name, mask in masks.items()}
    kept = [name for name in masks if units[name] >= FEWEST]
    found: dict[str, Any] = {
        "unknown": int((~inside).sum()),
        "images": {name: int(masks[name].sum()) for name in kept},
        "left_out": {name: int(mask.sum()) for name, mask in masks.items() if name not in kept},
        "metrics": {},
    }
    entries = {name: attribute.entries(masks[name]) for name in kept}
    drawn = _drawn(attribute, {name: masks[name] for name in kept}) if len(kept) > 1 else {}
    for key in next(iter(entries.values()), {}):
        there = [name for name in kept if entries[name][key]["value"] is not None]
        one: dict[str, Any] = {"cohorts": {name: dict(entries[name][key]) for name in there}}
        if len(there) > 1:
            estimates = {name: Resampled.of(entries[name][key], drawn[name].own[key], units[name]) for name in there}
            one |= _compared(key, estimates, drawn, attribute.shares(key[0]), attribute.draws.seed)
        found["metrics"][key] = one
    return found


@dataclass(frozen=True)
class _Drawn:
    """Every metric over the resamples (R,) of a cohort and of the rest; of the rest also over all its images, (1,)."""

    own: Mapping[Key, np.ndarray]
    rest: Mapping[Key, np.ndarray]
    rest_values: Mapping[Key, np.ndarray]
    rest_units: int


def _drawn(attribute: Attribute, masks: Mapping[str, np.ndarray]) -> dict[str, _Drawn]:
    """For each cohort; all from the same resamples of the images that are in a cohort."""
    from scipy import sparse

    rows = np.flatnonzero(np.logical_or.reduce(list(masks.values())))
    terms, draws = attribute.terms[rows], attribute.draws.of(rows)
    whole, drawn = terms.sum(0), draws.sums(terms)
    found = {}
    for name, mask in masks.items():
        own = sparse.diags(mask[rows].astype(np.float64)) @ terms  # others are drawn, too, and add nothing
        sums = draws.sums(own)
        found[name] = _Drawn(
            attribute.statistics(sums),
            attribute.statistics(drawn - sums),
            attribute.statistics(np.asarray(whole - own.sum(0)).reshape(1, -1)),
            draws.units(~mask[rows]),
        )
    return found


def _compared(
    key: Key, estimates: Mapping[str, Resampled], drawn: Mapping[str, _Drawn], share: bool, seed: int
) -> dict[str, Any]:
    """``differences`` and ``gap`` of one metric. Of two cohorts, each is the rest of the other."""
    names, own = list(estimates), list(estimates.values())
    if len(drawn) == 2:
        rest = own[::-1]
    else:
        parts = [drawn[name] for name in names]
        rest = [Resampled.of({"value": one.rest_values[key][0]}, one.rest[key], one.rest_units) for one in parts]
    against = differences(list(zip(own, rest, strict=True)), share=share, seed=seed)
    widest = gap(own, share=share, seed=seed)
    return {
        "differences": {name: asdict(one) for name, one in zip(names, against, strict=True)},
        "gap": asdict(widest) | {"n": len(names), "highest": names[widest.highest], "lowest": names[widest.lowest]},
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the classes (R, K) that have a value."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(there, values, 0).sum(1) / there.sum(1))
