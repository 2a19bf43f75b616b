"""Metrics of arrays: ``fg.metrics.verification(scores, same)``, and the modules of ``modules/metrics`` by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.contract import described


class Metrics:
    """``verification`` in one call, and every module of ``modules/metrics``."""

    __name__ = "metrics"

    @staticmethod
    def verification(
        scores: Any,
        same: Any,
        folds: Any = None,
        fars: Sequence[float] = (1e-1, 1e-2, 1e-3),
        resamples: int = 1000,
        seed: int = 0,
        subjects: tuple[Any, Any] | None = None,
    ) -> dict[str, Any]:
        """How well similarity scores separate genuine from impostor pairs: accuracies, EER, AUC and VAL, with 95 % intervals.

        Pairs share subjects, so they are not independent. With ``subjects`` the intervals resample subjects, as in reports;
        without, they treat pairs as independent and are too narrow.

        Args:
            scores: (n,) float, higher is more similar
            same: (n,) bool, True for a genuine pair
            folds: (n,) int, for the cross-validated accuracies; None: ten, assigned in turn to the pairs of each kind
            fars: false accept rates at which VAL is reported, above 0 and at most 1
            resamples: of the bootstrap, at least 1
            seed: of the bootstrap
            subjects: (n,) int or text each: the subjects of the first and of the second image of each pair

        Returns:
            the results as in a report for one protocol. Each metric has ``value``, ``low``, ``high`` and the ``method`` of its
            interval. ``intervals`` says how all of them were computed: ``method`` ("subject bootstrap" or "independent pairs"),
            and ``note``, what that means or why there is no subject bootstrap. ``modes`` has each published definition of
            accuracy.

        Raises:
            ValueError: lengths differ, a score is not finite, there are too few pairs of a kind, a pair is genuine although
                its subjects differ (or the reverse), or ``fars`` or ``resamples`` is out of range.
        """
        from modules.metrics.accuracy_modes import all_modes
        from modules.metrics.validation import labels
        from modules.metrics.verification import verification

        rates = np.asarray(fars)
        if rates.ndim != 1 or rates.dtype.kind not in "fiu" or not ((rates > 0) & (rates <= 1)).all():
            raise ValueError(f"fars are false accept rates above 0 and at most 1, such as (0.01, 0.001); found {fars!r}")
        if not isinstance(resamples, int | np.integer) or resamples < 1:
            raise ValueError(f"resamples is a whole number, at least 1; found {resamples!r}")
        scores, same = np.asarray(scores, np.float64), labels(same)
        folds = dealt(same) if folds is None else np.asarray(folds)
        sides = None if subjects is None else checked_subjects(subjects, same)
        found = verification(scores, same, folds, fars, subjects=sides, resamples=resamples, seed=seed)
        return {**found, "intervals": described_intervals(found), "modes": all_modes(scores, same, folds)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._modules():
            raise AttributeError(f"facegrid.metrics has no {name!r} (known: {', '.join(self.__dir__())})")
        return importlib.import_module(f"modules.metrics.{name}")

    def __dir__(self) -> list[str]:
        return sorted({*self._modules(), "verification"})

    def __repr__(self) -> str:
        return f"<facegrid.metrics: {', '.join(self.__dir__())}>"

    @staticmethod
    def _modules() -> list[str]:
        return [module.name for module in pkgutil.iter_modules(importlib.import_module("modules.metrics").__path__)]


def dealt(same: np.ndarray, folds: int = 10) -> np.ndarray:
    """(n,) int: the fold of each pair, with genuine and impostor pairs distributed evenly over the folds."""
    found = np.empty(len(same), np.int64)
    for kind in (True, False):
        places = np.flatnonzero(same == kind)
        found[places] = np.arange(len(places)) % folds
    return found


def checked_subjects(subjects: Any, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The subjects of the pairs' first and second images, (n,) each.

    Raises:
        ValueError: they are not two arrays of that length, or contradict ``same``, bool (n,).
    """
    if not isinstance(subjects, (tuple, list)) or len(subjects) != 2:
        raise ValueError(f"subjects are two arrays (n,): of the first and of the second images; found {described(subjects)}")
    left, right = (np.asarray(side) for side in subjects)
    for side in (left, right):
        if side.shape != same.shape:
            raise ValueError(f"subjects: one for each of {len(same)} pairs in both arrays; found {described(side)}")
    wrong = np.flatnonzero((left == right) != same)
    if len(wrong):
        row = int(wrong[0])
        kind, (one, other) = "genuine" if same[row] else "an impostor pair", (side.tolist()[row] for side in (left, right))
        remedy = "check same and subjects"
        if type(one) is not type(other):
            remedy = f"the first is {type(one).__name__}, the other {type(other).__name__}; pass both sides as one type"
        raise ValueError(f"pair {row} is {kind}, and its subjects are {one!r} and {other!r}; {remedy}")
    return left, right


def described_intervals(found: Mapping[str, Any]) -> dict[str, str]:
    """How the intervals of a result of ``modules.metrics.verification`` were computed."""
    about = found.get("subjects")
    if about is None:
        note = "pairs count as independent: too narrow if they share subjects; pass subjects=(first, second)"
    elif reason := about.get("reason"):
        note = f"pairs count as independent, since subjects cannot be resampled: {reason}"
    else:
        note = (
            f"{about['resamples']} resamples of {about['subjects']} subjects, with all pairs among them; jackknife for the AUC"
        )
        return {"method": "subject bootstrap", "note": note}
    return {"method": "independent pairs", "note": note}
