"""Metrics of several networks on the same pairs, each from the same resamples of subjects: the basis of paired tests.

The resampling is that of ``subject_bootstrap``. All networks see the same resamples, so what the choice of subjects does to all
of them alike cancels in a difference.

The cross-validated accuracy keeps the thresholds that were chosen on all subjects, so that a resample is one matrix product.
The variance of the choice is then missing, so nothing is subtracted for this metric, whose tests would otherwise find too
many false positives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modules.metrics.intervals import TINY
from modules.metrics.merged_thresholds import MergedThresholds
from modules.metrics.resampled_units import ResampledUnits
from modules.metrics.subject_bootstrap import FEW, SCALE, check_units, columns, columns_of_two, resampled_metrics
from modules.metrics.validation import checked, held_out
from modules.metrics.verification import ten_fold_accuracy

WEIGHTS = 1_000_000  # per block: 8 MB, shared by all networks
SUBJECTS, PAIRS = "subject bootstrap", "bootstrap, independent pairs"


@dataclass(frozen=True)
class PairedBootstrap:
    """Resampled metrics of S networks; keys are ``best_threshold``, ``ten_fold``, ``eer``, ``auc`` and ``val:<far>``.

    Attributes:
        drawn: (resamples, S) by metric.
        single: the same from resamples of pairs of subjects, see ``subject_bootstrap``; empty if they are not
            subtracted, and without ``ten_fold``.
        units: numbers of subjects, or of pairs if the subjects are unknown; a metric rests on ``units.behind(metric)``.
        method: "subject bootstrap", or "bootstrap, independent pairs" if the subjects are unknown.
    """

    drawn: Mapping[str, np.ndarray]
    single: Mapping[str, np.ndarray]
    units: ResampledUnits
    method: str
    # Metric -> covariances (S, S) of both kinds of resamples, as far as they were needed.
    _covariances: dict[str, list[np.ndarray]] = field(default_factory=dict, repr=False)

    def covariance(self, metric: str, contrasts: np.ndarray) -> np.ndarray:
        """Covariance (K, K) of K linear combinations of the networks' metrics.

        Args:
            contrasts: (K, S), the weights of the networks.
        """
        if metric not in self._covariances:
            parts = [_covariance(found[metric]) for found in (self.drawn, self.single) if metric in found]
            self._covariances[metric] = parts
        used = np.flatnonzero(contrasts.any(axis=0))  # two of hundreds where two networks are compared
        own = contrasts[:, used]
        total, *single = (own @ part[np.ix_(used, used)] @ own.T for part in self._covariances[metric])
        total *= self.units.unbiased(metric)
        return without(total, single[0]) if single else total


def paired_bootstrap(
    scores: np.ndarray,
    same: np.ndarray,
    subjects: tuple[np.ndarray, np.ndarray] | None,
    *,
    folds: np.ndarray | None = None,
    fars: Sequence[float] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> PairedBootstrap:
    """Resamples the metrics of S networks on the same n pairs.

    Args:
        scores: (S, n) float, higher is more similar.
        same: (n,) bool.
        subjects: (n,) int or text each, of the pairs' first and second images; None: pairs are resampled.
        folds: (n,) int, for ``ten_fold``.
        fars: FAR targets of ``val``.
        resamples: at least 2.
        seed: of the resampling.

    Raises:
        ValueError: see ``validation.checked``; genuine pairs of a single subject, or impostor pairs of only two subjects.
    """
    rows = [checked(one, same)[0] for one in np.asarray(scores)]
    same, n, fars = np.asarray(same, bool), len(same), list(fars)
    if subjects is None:
        sides, between, twos = (np.arange(n), np.full(n, n)), (np.zeros(0), np.zeros(0)), 0
        units = ResampledUnits(int(same.sum()), int((~same).sum()), n, sides=1)
        check_units(units.genuine, units.impostor)
    else:
        names, who = np.unique(np.concatenate([np.asarray(side) for side in subjects]), return_inverse=True)
        sides, units = columns(same, who[:n], who[n:], len(names)), ResampledUnits.of(same, who[:n], who[n:])
        between, twos = columns_of_two(same, who[:n], who[n:])
        check_units(units.genuine, twos)
    networks = [MergedThresholds(one, same) for one in rows]
    correct = None if folds is None else np.stack([held_out_decisions(one, same, folds) for one in rows]).astype(np.float64)

    def of_units(times: np.ndarray) -> dict[str, np.ndarray]:
        return _metrics(networks, _weights(sides, times), fars, folds, correct)

    def of_twos(times: np.ndarray) -> dict[str, np.ndarray]:
        return _metrics(networks, _weights(between, times), fars, None, None)

    few = subjects is not None and int((~same).sum()) <= FEW
    block = max(1, min(resamples, WEIGHTS // n))
    values, singles = resampled_metrics(of_units, of_twos if few else None, units.every, twos, resamples, seed, block)
    return PairedBootstrap(values, singles, units, PAIRS if subjects is None else SUBJECTS)


def without(total: np.ndarray, single: np.ndarray) -> np.ndarray:
    """``total - single``, but in no direction less than half of ``total``: ``max(t - s, t / 2)`` for matrices (K, K)."""
    values, vectors = np.linalg.eigh(total)
    kept = values > TINY * max(float(values.max(initial=0.0)), TINY)
    root = vectors[:, kept] * np.sqrt(values[kept])
    inverse = vectors[:, kept] / np.sqrt(values[kept])
    shares, turn = np.linalg.eigh(inverse.T @ single @ inverse)
    half = root @ turn
    return (half * (1 - np.clip(shares, 0.0, 0.5))) @ half.T  # type: ignore[no-any-return]


def _covariance(values: np.ndarray) -> np.ndarray:
    finite = values[np.isfinite(values).all(axis=1)]
    return SCALE * np.atleast_2d(np.cov(finite, rowvar=False))


def _weights(sides: tuple[np.ndarray, np.ndarray], times: np.ndarray) -> np.ndarray:
    """float64 (n, rows): the pairs' weights, the same for all networks; ``sides`` are columns of ``times``."""
    columns = np.ascontiguousarray(times.T).astype(np.float64)
    return columns[sides[0]] + columns[sides[1]]  # type: ignore[no-any-return]


def _metrics(
    networks: Sequence[MergedThresholds],
    weights: np.ndarray,
    fars: Sequence[float],
    folds: np.ndarray | None,
    correct: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Each metric as (rows, S); ``weights`` is (n, rows), ``correct`` (S, n)."""
    parts = [one.metrics(weights, fars) for one in networks]
    found = {key: np.stack([part[key] for part in parts], axis=1) for key in parts[0]}
    if folds is not None and correct is not None:
        held = held_out(folds, weights.shape[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = [weights[fold].T @ correct[:, fold].T / weights[fold].sum(axis=0)[:, None] for fold in held]
        found["ten_fold"] = np.nanmean(shares, axis=0)
    return found


def held_out_decisions(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """bool (n,): whether each pair is decided correctly at the threshold that is best on the other folds."""
    thresholds = np.asarray(ten_fold_accuracy(scores, same, folds)["thresholds"])
    _, place = np.unique(folds, return_inverse=True)
    return (scores >= thresholds[place]) == same  # type: ignore[no-any-return]
