"""Metrics of arrays: ``fg.metrics.verification(scores, same)``, and the modules of ``modules/metrics`` by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


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
    ) -> dict[str, Any]:
        """How well similarity scores separate genuine from impostor pairs: accuracies, EER, AUC and VAL, with 95 % intervals.

        Args:
            scores: (n,) float, higher is more similar
            same: (n,) bool, True for a genuine pair
            folds: (n,) int, for the cross-validated accuracies; None: ten, assigned in turn to the pairs of each kind
            fars: false accept rates at which VAL is reported
            resamples: of the bootstrap
            seed: of the bootstrap

        Returns:
            the results as in a report for one protocol; ``modes`` has each published definition of accuracy.

        Raises:
            ValueError: lengths differ, a score is not finite, or there are too few pairs of a kind.
        """
        from modules.metrics.accuracy_modes import all_modes
        from modules.metrics.verification import verification

        scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
        folds = dealt(same) if folds is None else np.asarray(folds)
        found = verification(scores, same, folds, fars, resamples=resamples, seed=seed)
        return {**found, "modes": all_modes(scores, same, folds)}

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
        spec = importlib.util.find_spec("modules.metrics")
        assert spec is not None
        places = spec.submodule_search_locations or ()
        return [file.stem for place in places for file in Path(place).glob("[a-z]*.py")]


def dealt(same: np.ndarray, folds: int = 10) -> np.ndarray:
    """(n,) int: the fold of each pair, with genuine and impostor pairs distributed evenly over the folds."""
    found = np.empty(len(same), np.int64)
    for kind in (True, False):
        places = np.flatnonzero(same == kind)
        found[places] = np.arange(len(places)) % folds
    return found
