"""Overlap between a training set and an evaluation set: equal subjects, identical files, near-duplicate images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from configs.data_interfaces import Manifest as AnyManifest
from datamodules.manifest import Manifest
from datamodules.near_duplicates import Prints, near
from datamodules.shared_subjects import SharedSubjects
from datamodules.split import rows_of

Finding = Literal["identities", "names", "identical", "near"]
FINDINGS: tuple[Finding, ...] = ("identities", "names", "identical", "near")
EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class Audit:
    """The overlap of two sets.

    Attributes:
        subjects: the subjects of both
        identical: int64 (A, 2), rows (training, evaluation) of byte-identical files
        near: int64 (B, 2), rows of near duplicates, without byte-identical ones
        distance: int64 (B,), Hamming distance of their hashes
        unhashed: (training, evaluation) number of images without structure, such as uniform ones, which were not compared
        train: the training manifest
        evaluation: the evaluation manifest
    """

    subjects: SharedSubjects
    identical: np.ndarray
    near: np.ndarray
    distance: np.ndarray
    unhashed: tuple[int, int]
    train: AnyManifest
    evaluation: AnyManifest

    @property
    def clean(self) -> bool:
        return not (self.subjects.identities or self.subjects.names or len(self.identical) or len(self.near))

    def rows(self, findings: Iterable[Finding] = FINDINGS, side: Literal["train", "evaluation"] = "train") -> np.ndarray:
        """int64, sorted: the rows of one side affected by these findings; a shared subject affects all of its images."""
        column = 0 if side == "train" else 1
        manifest = self.train if side == "train" else self.evaluation
        found: set[int] = set()
        for finding in findings:
            if finding in ("identities", "names"):
                named = {names[column] for names in self.subjects.names}
                shared = named if finding == "names" else set(self.subjects.identities)
                found |= {row for row, who in enumerate(manifest.identities) if who in shared}
            else:
                found |= set((self.identical if finding == "identical" else self.near)[:, column].tolist())
        return np.array(sorted(found), np.int64)

    def facts(self) -> dict[str, object]:
        """The report as JSON values: counts, and up to five examples of each finding."""
        train, evaluation = self.train.keys, self.evaluation.keys
        return {
            "train_images": len(train),
            "evaluation_images": len(evaluation),
            "shared_identities": len(self.subjects.identities),
            "named_subjects": list(self.subjects.named),
            "shared_names": len(self.subjects.names),
            "identical_pairs": len(self.identical),
            "near_pairs": len(self.near),
            "unhashed_images": list(self.unhashed),
            "train_rows": {finding: len(self.rows([finding])) for finding in FINDINGS},
            "examples": {
                "identities": list(self.subjects.identities[:EXAMPLES]),
                "names": [list(names) for names in self.subjects.names[:EXAMPLES]],
                "identical": [[train[a], evaluation[b]] for a, b in self.identical[:EXAMPLES].tolist()],
                "near": [
                    [train[a], evaluation[b], bits]
                    for (a, b), bits in zip(self.near[:EXAMPLES].tolist(), self.distance[:EXAMPLES].tolist(), strict=True)
                ],
            },
        }


def audit(
    train: Manifest,
    evaluation: Manifest,
    subjects: SharedSubjects,
    train_prints: Prints | None = None,
    evaluation_prints: Prints | None = None,
    bits: int = 4,
) -> Audit:
    """Compares a training set with an evaluation set.

    Args:
        train: the training manifest
        evaluation: the evaluation manifest
        subjects: the subjects of both, as ``shared_subjects`` finds them
        train_prints: fingerprints of the training images, row by row (``near_duplicates.prints``); None: do not compare images
        evaluation_prints: fingerprints of the evaluation images
        bits: largest Hamming distance of the 64-bit hashes of near duplicates
    """
    identical = _identical(train, evaluation)
    pairs, distance, unhashed = np.zeros((0, 2), np.int64), np.zeros(0, np.int64), (0, 0)
    if train_prints is not None and evaluation_prints is not None:
        for side, manifest, hashed in (("training", train, train_prints), ("evaluation", evaluation, evaluation_prints)):
            if len(hashed) != len(manifest):
                raise ValueError(f"there are {len(hashed)} hashes of {len(manifest)} {side} images")
        pairs, distance = near(train_prints, evaluation_prints, bits)
        same = {(a, b) for a, b in identical.tolist()}
        fresh = np.array([tuple(pair) not in same for pair in pairs.tolist()], bool)
        pairs, distance = pairs[fresh], distance[fresh]
        unhashed = int((~train_prints.structured).sum()), int((~evaluation_prints.structured).sum())
    return Audit(subjects, identical, pairs, distance, unhashed, train, evaluation)


def _identical(train: Manifest, evaluation: Manifest) -> np.ndarray:
    places = rows_of(evaluation.digests)
    pairs = [(row, other) for row, digest in enumerate(train.digests) for other in places.get(digest, ())]
    return np.array(pairs, np.int64).reshape(-1, 2)
