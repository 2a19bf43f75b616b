"""The images on which a trained network is studied: held-out ones, in an order that depends only on their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.spec.training import Training
from grid.stages.context import Faces
from grid.stages.labels import rows_of
from grid.stages.probes import hashed


@dataclass(frozen=True, eq=False)
class Studied:
    """Attributes:
    rows: int64 (N,), of the dataset, in the order of the hashes of their keys
    held_out: False if the split holds out no image, so that these are training images
    """

    rows: np.ndarray
    held_out: bool


def studied(faces: Faces, training: Training, most: int) -> Studied:
    """At most that many images of the validation set or, if that is empty, of the training set."""
    train, validation = rows_of(faces, training)
    held = len(validation) > 0
    rows = sorted((validation if held else train).tolist(), key=lambda row: hashed(faces.manifest.keys[row]))
    return Studied(np.array(rows[:most], np.int64), held)


def of_different_subjects(rows: np.ndarray, identities: Sequence[str], count: int) -> list[int]:
    """The first ``count`` rows of different subjects; if there are fewer subjects, further images of them."""
    first = {identities[row]: row for row in rows[::-1].tolist()}
    chosen = np.isin(rows, list(first.values()))
    return [*rows[chosen].tolist(), *rows[~chosen].tolist()][:count]
