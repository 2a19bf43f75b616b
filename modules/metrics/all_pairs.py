"""All-to-all verification: every image against every other one, as an exact ROC curve.

With n images there are n (n - 1) / 2 pairs, nearly all of them impostors: LFW's 13,233 images give 87,549,528 pairs, of which
242,257 are genuine. So false match rates down to 1e-6 can be measured, which lists of thousands of pairs cannot show.
"""

from __future__ import annotations

import numpy as np

from modules.metrics.roc import Curve

ROWS = 512  # images per block of products


def all_pairs(units: np.ndarray, subjects: np.ndarray, *, rows: int = ROWS) -> Curve:
    """The curve of the cosines of all pairs.

    Products are computed in float64 and rounded to float32: that halves the memory, and equal embeddings tie, whose products
    in different blocks differ in the last bits of float64. Two cosines within 6e-8 may tie that way; the rates are those of the
    rounded cosines, exactly. Memory: 4 bytes per pair, and blocks of ``rows`` x n products.

    Args:
        units: (n, D) float, of unit length
        subjects: (n,) int or text
        rows: images per block

    Raises:
        ValueError: lengths differ, a value is not finite, or there are no genuine or no impostor pairs.
    """
    if units.ndim != 2 or subjects.shape != units.shape[:1]:
        raise ValueError(f"embeddings have shape {units.shape} and subjects {subjects.shape}; one subject per embedding")
    if not np.isfinite(units).all():
        raise ValueError("an embedding holds a value that is no finite number")
    _, who = np.unique(subjects, return_inverse=True)
    who = who.astype(np.int32)
    counts = np.bincount(who).astype(np.int64)
    count, genuine = len(units), int((counts * (counts - 1) // 2).sum())
    found = {True: np.empty(genuine, np.float32), False: np.empty(count * (count - 1) // 2 - genuine, np.float32)}
    if not all(len(scores) for scores in found.values()):
        raise ValueError(f"{count} images of {len(counts)} subjects give {genuine} genuine pairs; both kinds are needed")
    place = {True: 0, False: 0}
    whole = units.astype(np.float64, copy=False)
    for start in range(0, count, rows):
        part = whole[start : start + rows]
        scores = (part @ whole[start:].T).astype(np.float32)
        later = np.arange(scores.shape[1])[None, :] > np.arange(len(part))[:, None]  # each pair once
        same = who[start : start + len(part), None] == who[None, start:]
        for kind in (True, False):
            chosen = scores[later & (same if kind else ~same)]
            found[kind][place[kind] : place[kind] + len(chosen)] = chosen
            place[kind] += len(chosen)
    for scores in found.values():
        scores.sort()
    return Curve(found[True], found[False])
