"""Agreement of clusters with identities, computed from the counts of each identity in each cluster.

Pairwise: precision is the fraction of same-cluster pairs that are of the same subject, recall the fraction of same-subject
pairs that are in the same cluster. BCubed (Bagga and Baldwin, 1998; Amigo et al., 2009): precision is the mean over images of
the fraction of the image's cluster, including itself, that is of its subject; recall is the mean fraction of the image's
subject that is in its cluster. F is the harmonic mean. A fraction of zero pairs counts as 1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Agreement(NamedTuple):
    precision: float
    recall: float
    f: float


def pairwise(clusters: np.ndarray, subjects: np.ndarray) -> Agreement:
    """Precision, recall and F over pairs of images; computed in integers up to the last division.

    Args:
        clusters: (n,) int or text.
        subjects: (n,) int or text.

    Raises:
        ValueError: lengths differ, or there are no images.
    """
    cells, clustered, subjects_of = _counts(clusters, subjects)
    return _pairwise(_pairs(cells[2]), _pairs(clustered), _pairs(subjects_of))


def bcubed(clusters: np.ndarray, subjects: np.ndarray) -> Agreement:
    """BCubed precision, recall and F; arguments and errors as for ``pairwise``."""
    (rows, columns, counts), clustered, subjects_of = _counts(clusters, subjects)
    squares = counts.astype(np.float64) ** 2
    total = int(counts.sum())
    precision = float((squares / clustered[rows]).sum()) / total
    recall = float((squares / subjects_of[columns]).sum()) / total
    return Agreement(precision, recall, 2 * precision * recall / (precision + recall))


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pairwise F at every distance threshold of a sequence of merges.

    Attributes:
        distances: float64 (k,), increasing; the first is -infinity, which merges nothing.
        clusters: int64 (k,), number of clusters.
        pairwise: float64 (k,), F.
    """

    distances: np.ndarray
    clusters: np.ndarray
    pairwise: np.ndarray

    def best(self) -> tuple[float, float]:
        """Returns (F, distance) of the best threshold, the lowest one on ties.

        This is an oracle: the threshold is chosen on the evaluated images.
        """
        index = int(np.argmax(self.pairwise))
        return float(self.pairwise[index]), float(self.distances[index])


def sweep(merges: np.ndarray, subjects: np.ndarray) -> Sweep:
    """Evaluates all thresholds at once in O(n log n), since each merge changes the counts of only two clusters.

    Args:
        merges: (n - 1, 4), as returned by ``clustering.average_linkage``, heights increasing.
        subjects: (n,) int or text.

    Raises:
        ValueError: lengths do not match.
    """
    count = len(subjects)
    if len(merges) != count - 1:
        raise ValueError(f"{len(merges)} merges and {count} images; there is one merge fewer than images")
    _, who, sizes = np.unique(subjects, return_inverse=True, return_counts=True)
    members: dict[int, Counter[int]] = {row: Counter({int(subject): 1}) for row, subject in enumerate(who)}
    size = dict.fromkeys(range(count), 1)
    right, claimed, wanted = 0, 0, _pairs(sizes)
    found = [(-np.inf, count, _pairwise(right, claimed, wanted).f)]
    for step, (one, other, height) in enumerate(merges[:, :3].tolist()):
        large, small = sorted((int(one), int(other)), key=lambda name: len(members[name]), reverse=True)
        kept, moved, new = members.pop(large), members.pop(small), count + step
        right += sum(number * kept[subject] for subject, number in moved.items())
        claimed += size[large] * size[small]
        size[new] = size[large] + size[small]
        kept.update(moved)
        members[new] = kept
        entry = (height, count - step - 1, _pairwise(right, claimed, wanted).f)
        if found[-1][0] == height:
            found[-1] = entry  # merges of equal height belong to the same threshold
        else:
            found.append(entry)
    distances, clusters, f_pairs = zip(*found, strict=True)
    return Sweep(np.array(distances), np.array(clusters, np.int64), np.array(f_pairs))


Cells = tuple[np.ndarray, np.ndarray, np.ndarray]  # cluster, subject and number of images of each non-empty cell


def _counts(clusters: np.ndarray, subjects: np.ndarray) -> tuple[Cells, np.ndarray, np.ndarray]:
    """Returns (contingency table, images per cluster, images per subject)."""
    clusters, subjects = np.asarray(clusters), np.asarray(subjects)
    if clusters.shape != subjects.shape or clusters.ndim != 1 or not len(clusters):
        raise ValueError(f"clusters have shape {clusters.shape} and subjects {subjects.shape}; one of both for each image")
    _, rows, in_cluster = np.unique(clusters, return_inverse=True, return_counts=True)
    _, columns, of_subject = np.unique(subjects, return_inverse=True, return_counts=True)
    cells, counts = np.unique(rows.astype(np.int64) * len(of_subject) + columns, return_counts=True)
    return (cells // len(of_subject), cells % len(of_subject), counts), in_cluster, of_subject


def _pairs(counts: np.ndarray) -> int:
    counts = counts.astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _pairwise(right: int, claimed: int, wanted: int) -> Agreement:
    precision, recall = right / claimed if claimed else 1.0, right / wanted if wanted else 1.0
    return Agreement(precision, recall, 2 * right / (claimed + wanted) if claimed + wanted else 1.0)
