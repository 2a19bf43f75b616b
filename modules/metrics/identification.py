"""1:N identification: CMC and DIR against a gallery.

Grother, Ngan, Hanaoka: Face Recognition Vendor Test, part 2. NIST IR 8271, 2019. A subject's score is the highest score of its
gallery entries. A probe is mated if its subject (the mate) is in the gallery.

Closed set, CMC: the fraction of mated probes whose mate has rank k or better. Open set, DIR@FAR (TPIR at FPIR): the fraction of
mated probes whose mate has rank k or better and a score at or above the threshold, where the threshold accepts any candidate
for at most the target fraction of non-mated probes (score >= threshold; equal scores are accepted together, as in ``roc.py``).

Ties: all subjects with the same score as the mate are ranked before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.roc import Curve
from modules.metrics.validation import check_vectors

PROBES = 1_024  # probes per block
SCORES = 1 << 25  # maximum scores per block: fewer probes for large galleries


@dataclass(frozen=True, eq=False)
class Search:
    """Result of searching one gallery with P probes.

    Attributes:
        mated: bool (P,)
        top: float32 (P,), the highest score of any subject.
        mate: float32 (P,), the mate's score; -infinity for non-mated probes.
        above: int64 (P,), number of subjects with a higher score than the mate; all subjects for non-mated probes.
        tied: int64 (P,), number of other subjects with the same score as the mate.
    """

    mated: np.ndarray
    top: np.ndarray
    mate: np.ndarray
    above: np.ndarray
    tied: np.ndarray


def search(gallery: np.ndarray, subjects: np.ndarray, probes: np.ndarray, who: np.ndarray, *, block: int = PROBES) -> Search:
    """Compares every probe with every gallery entry by dot product (the cosine, if embeddings have unit length).

    Products are computed in float64 and rounded to float32, since in float64 the last bits depend on block size and threads and
    equal entries would not tie; rounded, about one score in a hundred million is affected. Memory: the gallery in float64, and
    about 500 MB for a block of scores.

    Args:
        gallery: (G, D) float.
        subjects: (G,) int or text, the subject of each gallery entry; a subject may have several entries.
        probes: (P, D) float.
        who: (P,), the subjects of the probes, of the same type as ``subjects``.
        block: maximum number of probes per block.

    Raises:
        ValueError: the gallery is empty, lengths or dimensions differ, or an embedding contains a non-finite value.
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


def cmc(found: Search, ranks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """Returns {rank: fraction of the mated probes whose mate has this rank or better}.

    Raises:
        ValueError: no probe is mated, or a rank is below 1.
    """
    above, tied = found.above[found.mated], found.tied[found.mated]
    if not len(above):
        raise ValueError("no probe's subject is in the gallery; closed-set identification needs some")
    if min(ranks) < 1:
        raise ValueError(f"rank {min(ranks)} does not exist; the best rank is 1")
    return {rank: float(np.mean(above + tied < rank)) for rank in ranks}


def dir_at_far(found: Search, far: float, rank: int = 1) -> tuple[float, float, float]:
    """Returns (DIR, threshold, obtained FAR) at the lowest threshold whose FAR does not exceed ``far``.

    Candidate thresholds are the scores of mates with this rank or better, and the top scores of non-mated probes.

    Raises:
        ValueError: no probe is mated, or all are; ``far`` is below 0.
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


def _checked(what: str, embeddings: np.ndarray, subjects: np.ndarray) -> None:
    if embeddings.ndim != 2 or subjects.shape != embeddings.shape[:1]:
        raise ValueError(f"{what} embeddings have shape {embeddings.shape} and subjects {subjects.shape}; one subject per row")
    check_vectors(embeddings, f"{what} embedding")
