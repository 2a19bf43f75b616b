"""Validation of scored pairs, shared by all metrics."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context

import numpy as np


def checked(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores as float64 (float32 stays float32) and labels as bool.

    Raises:
        ValueError: lengths differ, a label is not true or false (1 or 0), a score is not finite (reports the first row), or
            there are no genuine or no impostor pairs.
    """
    scores, same = np.asarray(scores), labels(same)
    scores = scores if scores.dtype == np.float32 else scores.astype(np.float64, copy=False)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise ValueError(f"scores have shape {scores.shape} and labels {same.shape}; both must be one list of the same length")
    check_numbers(scores, "score")
    both_kinds(same)
    return scores, same


def check_numbers(values: np.ndarray, what: str) -> None:
    """Raises ValueError if one of the values (n,) is not finite; ``what`` is one of them."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"the {what} of row {bad[0]} is {values[bad[0]]}, and of {len(bad)} rows no finite number")


def check_vectors(embeddings: np.ndarray, what: str = "embedding") -> None:
    """Raises ValueError if a row of the embeddings (n, D) holds a value that is not finite; ``what`` is one of them."""
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise ValueError(f"the {what} of row {bad[0]} holds a value that is no finite number, as do {len(bad)} rows")


def labels(same: np.ndarray) -> np.ndarray:
    """Returns labels as bool. Some lists use -1 for impostors; converted to true it would invert every metric.

    Raises:
        ValueError: a label is not true, false, 1 or 0.
    """
    same = np.asarray(same)
    if same.dtype != bool:
        odd = np.flatnonzero((same != 0) & (same != 1))
        if len(odd):
            raise ValueError(f"the label of row {odd[0]} is {same[odd[0]]}; a pair is genuine (true, 1) or not (false, 0)")
    return same.astype(bool, copy=False)


def held_out(folds: np.ndarray, pairs: int) -> list[np.ndarray]:
    """For each fold, by increasing number, (pairs,) bool: True for the fold's pairs.

    Raises:
        ValueError: the number of folds does not match the number of pairs, or there are fewer than two folds.
    """
    folds = np.asarray(folds)
    if folds.shape != (pairs,):
        raise ValueError(f"{pairs} scores and {len(folds)} fold numbers; each pair has one of both")
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError("cross-validated accuracy needs at least two folds; the protocol gives one")
    return [folds == number for number in numbers]


def both_kinds(same: np.ndarray) -> None:
    """Raises ValueError unless there are both genuine and impostor pairs."""
    genuine = int(np.count_nonzero(same))
    if genuine in (0, len(same)):
        raise ValueError(f"{genuine} of {len(same)} pairs are genuine; both genuine and impostor pairs are needed")


def at_least(number: float) -> str:
    """The number for a message that asks for it or more: three digits, rounded up, so that it is accepted."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(number)):g}"
