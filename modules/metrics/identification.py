"""1:N identification: CMC and DIR against a gallery.

Grother, Ngan, Hanaoka: Face Recognition Vendor Test, part 2. NIST IR 8271, 2019. A subject's score is the highest of their
gallery entries. A probe is mated if its subject is in the gallery; the score of that subject is its mate's.

Closed set, CMC: the share of mated probes whose mate has rank k or better. Open set, DIR@FAR (TPIR at FPIR): the share of mated
probes whose mate has rank k or better and a score that the threshold accepts, where the threshold lets at most the wanted share
of non-mated probes find anybody (score >= threshold; equal scores are accepted together, as in ``roc.py``).

Ties. A subject with the mate's very score may stand before or after it. ``pessimistic`` puts all such subjects before the mate;
``expected`` gives the mean over every order of them, exactly. DIR@FAR is pessimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modules.metrics.roc import Curve

PROBES = 1_024  # probes at a time
SCORES = 1 << 25  # scores at a time: fewer probes, if the gallery is large
Ties = Literal["pessimistic", "expected"]


@dataclass(frozen=True, eq=False)
class Search:
    """What each probe found in one gallery.

    Attributes:
        mated: bool (P,)
        top: float32 (P,), the highest score of anybody.
        mate: float32 (P,), the mate's score; -infinity where there is none.
        above: int64 (P,), subjects with a higher score than the mate; all of them where there is no mate.
        tied: int64 (P,), other subjects with the mate's very score.
    """

    mated: np.ndarray
    top: np.ndarray
    mate: np.ndarray
    above: np.ndarray
    tied: np.ndarray


def search(gallery: np.ndarray, subjects: np.ndarray, probes: np.ndarray, who: np.ndarray, *, block: int = PROBES) -> Search:
    """Compares every probe with every gallery entry, by dot product (the cosine, if embeddings have unit length).

    Products are made in float64 and rounded to float32, so equal entries tie, and blocks and threads do not show but for a
    score in some hundred million. Memory: the gallery in float64, and some 500 MB for a block of scores.

    Args:
        gallery: (G, D) float.
        subjects: (G,) int or text, whose entries these are; a subject may have several.
        probes: (P, D) float.
        who: (P,) of the same kind as ``subjects``.
        block: probes at a time, at most.

    Raises:
        ValueError: the gallery is empty, lengths or widths differ, or an embedding holds no finite number.
    """
    subjects, who = np.asarray(subjects), np.asarray(who)
    _checked("gallery", gallery, subjects)
    _checked("probe", probes, who)
    if not len(gallery):
        raise ValueError("the gallery is empty; nobody can be found in it")
    if gallery.shape[1] != probes.shape[1]:
        raise ValueError(f"gallery embeddings have {gallery.shape[1]} values and probes {probes.shape[1]}")
    order = np.argsort(subjects, kind="stable")
    names, first = np.unique(subjects[order], return_index=True)
    entries = gallery[order].astype(np.float64).T
    column = np.minimum(np.searchsorted(names, who), len(names) - 1)
    mated = names[column] == who
    top, mate = np.empty(len(probes), np.float32), np.full(len(probes), -np.inf, np.float32)
    above, tied = np.empty(len(probes), np.int64), np.zeros(len(probes), np.int64)
    block = max(1, min(block, SCORES // len(gallery)))
    for start in range(0, len(probes), block):
        part = slice(start, min(start + block, len(probes)))
        scores = (probes[part].astype(np.float64) @ entries).astype(np.float32)
        if len(names) < len(subjects):
            scores = np.maximum.reduceat(scores, first, axis=1)
        rows = np.flatnonzero(mated[part])
        mate[part][rows] = scores[rows, column[part][rows]]
        top[part] = scores.max(axis=1)
        above[part] = (scores > mate[part][:, None]).sum(axis=1)
        tied[part][rows] = (scores[rows] == mate[part][rows, None]).sum(axis=1) - 1
    return Search(mated, top, mate, above, tied)


def cmc(found: Search, ranks: Sequence[int] = (1, 5, 10), ties: Ties = "pessimistic") -> dict[int, float]:
    """{rank: share of the mated probes whose mate has this rank or a better one}.

    Raises:
        ValueError: no probe is mated, or a rank is below 1.
    """
    above, tied = found.above[found.mated], found.tied[found.mated]
    if not len(above):
        raise ValueError("no probe's subject is in the gallery; closed-set identification needs some")
    if min(ranks) < 1:
        raise ValueError(f"rank {min(ranks)} does not exist; the best rank is 1")
    if ties == "pessimistic":
        return {rank: float(np.mean(above + tied < rank)) for rank in ranks}
    return {rank: float(np.mean(np.clip((rank - above) / (tied + 1), 0, 1))) for rank in ranks}


def dir_at_far(found: Search, far: float, rank: int = 1) -> tuple[float, float, float]:
    """(DIR, threshold, FAR found) at the lowest threshold whose FAR does not exceed ``far``.

    Thresholds are levels of the scores that count: of mates with the rank or better, and the top scores of non-mated probes.

    Raises:
        ValueError: no probe is mated, or all are; a FAR below 0.
    """
    mated = int(found.mated.sum())
    if mated in (0, len(found.mated)):
        raise ValueError(f"{mated} of {len(found.mated)} probes are mated; open-set identification needs both kinds")
    hits = found.mate[found.mated & (found.above + found.tied < rank)]
    curve = Curve(np.sort(hits), np.sort(found.top[~found.mated]))
    if not len(hits):
        return 0.0, float(np.nextafter(curve.impostor_scores[-1], np.inf)), 0.0
    share, threshold, found_far = curve.val(far)
    return round(share * len(hits)) / mated, threshold, found_far


def averaged(
    searches: Sequence[Search], ranks: Sequence[int] = (1, 5, 10), fars: Sequence[float] = (0.01, 0.1)
) -> dict[str, dict[str, float]]:
    """Every number as the mean over galleries, each searched with all probes: IJB's way with its two disjoint galleries.

    Closed set: each gallery with the probes whose subjects it holds. Open set: all other probes are its non-mated ones.

    Returns:
        ``cmc`` by rank and ``dir`` by FAR, as text keys.
    """
    closed = [cmc(found, ranks) for found in searches]
    return {
        "cmc": {str(rank): float(np.mean([one[rank] for one in closed])) for rank in ranks},
        "dir": {f"{far:g}": float(np.mean([dir_at_far(found, far)[0] for found in searches])) for far in fars},
    }


def _checked(what: str, embeddings: np.ndarray, subjects: np.ndarray) -> None:
    if embeddings.ndim != 2 or subjects.shape != embeddings.shape[:1]:
        raise ValueError(f"{what} embeddings have shape {embeddings.shape} and subjects {subjects.shape}; one subject per row")
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise ValueError(f"the {what} embedding of row {bad[0]} holds a value that is no finite number, as do {len(bad)} rows")
