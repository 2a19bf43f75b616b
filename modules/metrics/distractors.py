"""Identification of a probe's mate among a growing number of distractors.

Kemelmacher-Shlizerman, Seitz, Miller, Brossard: The MegaFace benchmark. CVPR 2016, Challenge 1. For each ordered pair of images
of one subject, the first is the probe and the second the only image of the subject in the gallery, beside N distractors of
other subjects. The rank counts the distractors that are at least as similar to the probe as the mate is: ties are ranked before
it. Scores are rounded to float32, as in ``identification``: bit-equal embeddings tie, whose products in float64 may differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modules.metrics.validation import check_vectors

SCORES = 1 << 24  # scores of a block of probes


def ranks(
    probes: np.ndarray, subjects: np.ndarray, distractors: np.ndarray, sizes: Sequence[int], *, scores: int = SCORES
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (the probe of each ordered pair, int64 (M,); ahead, int64 (M, sizes)).

    ``ahead`` is the number of the first N distractors that are ranked before the mate, for each size N; 0 is rank 1.

    Args:
        probes: (P, D) float, of unit length.
        subjects: (P,), each subject twice or more.
        distractors: (N, D) float, of unit length, in the order in which they join the gallery.
        sizes: of the gallery's distractors, from 1 to N.
        scores: maximum number of scores in memory.

    Raises:
        ValueError: there are no probes or no distractors, a size is out of range, a subject has one image, or an embedding is
            not finite.
    """
    for what, vectors in (("probe embedding", probes), ("distractor embedding", distractors)):
        check_vectors(vectors, what)
    if not len(probes) or not len(distractors):
        raise ValueError(
            f"{len(probes)} probes and {len(distractors)} distractors are left, and identification needs both; use "
            "more images, or on_missing_face: center_crop"
        )
    if not sizes or not 1 <= min(sizes) <= max(sizes) <= len(distractors):
        raise ValueError(f"sizes {list(sizes)} are not all from 1 to {len(distractors)}, the number of distractors")
    subjects, counts = np.unique(subjects, return_inverse=True, return_counts=True)[1:]
    if counts.min() < 2:
        raise ValueError(f"{int((counts < 2).sum())} subjects have one image; a probe needs another image of its subject")
    entries = distractors.astype(np.float64).T
    own = probes.astype(np.float64)
    block = max(1, scores // len(distractors))
    asked, ahead = [], []
    for start in range(0, len(probes), block):
        found = (own[start : start + block] @ entries).astype(np.float32)
        for row, line in enumerate(found, start):
            mates = subjects == subjects[row]
            mates[row] = False
            values = (own[mates] @ own[row]).astype(np.float32)
            rising = (np.sort(line[:size]) for size in sizes)
            ahead.append(np.stack([len(one) - np.searchsorted(one, values, side="left") for one in rising], axis=1))
            asked.append(np.full(len(values), row, np.int64))
    return np.concatenate(asked), np.concatenate(ahead).astype(np.int64)
