"""What a network is trained on: the label of each image, which images are held out, and which may be explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from configs.interfaces import Column
from datamodules.split import held_identities, split, stratified
from grid.spec.training import IDENTITY, Training
from grid.stages.context import Faces
from modules.targets import TargetsConfig, objective


@dataclass(frozen=True, eq=False)
class Labels:
    """One row per image of the training data.

    Attributes:
        values: what the network's loss takes: int64 (N,), the class; of several targets float32 (N, targets) in the order of
            their names, NaN where unknown
        classes: number of classes; of several targets one for each, 0 for numbers
        primary: int64 (N,), the class that the network's ``forward`` tells; -1 where there is none
        names: of these classes
        identities: int64 (N,), equal numbers for equal identities
    """

    values: np.ndarray
    classes: int | dict[str, int]
    primary: np.ndarray
    names: tuple[str, ...]
    identities: np.ndarray


def labels_of(faces: Faces, training: Training) -> Labels:
    """The labels of all images.

    Identities that ``split.by: identities`` holds out have no class: their numbers follow on those of the classes.
    """
    held = _held(faces, training)
    classes = sorted(set(faces.identities) - held)
    number = {who: index for index, who in enumerate([*classes, *sorted(held)])}
    identities = np.array([number[who] for who in faces.identities], dtype=np.int64)
    loss = objective(training)
    if not isinstance(loss, TargetsConfig):
        return Labels(identities, len(classes), identities, tuple(classes), identities)
    columns = training.data.columns(faces.manifest)
    told = {name: _column(columns[name]) for name in loss.names if name != IDENTITY}
    if IDENTITY in loss.names:
        told[IDENTITY] = (np.where(identities < len(classes), identities, np.nan), tuple(classes))
    values = np.stack([told[name][0] for name in loss.names], axis=1).astype(np.float32)
    names = told[loss.primary][1] or ()
    primary = np.nan_to_num(told[loss.primary][0], nan=-1).astype(np.int64) if names else np.full(len(identities), -1)
    return Labels(values, {name: len(told[name][1] or ()) for name in loss.names}, primary, names, identities)


def rows_of(faces: Faces, training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows. The split sees all images, so it is the same whatever faces a detector missed.

    By images, a share of each identity's images is held out; where the identity is not among the targets, a share of each
    combination of their classes.
    """
    made = training.split
    keys = faces.manifest.keys
    if made.by == "images" and training.targets and IDENTITY not in training.targets:
        columns = training.data.columns(faces.manifest)
        strata = [columns[name].values for name in sorted(training.targets) if columns[name].classes is not None]
        train, validation = stratified(keys, strata, made.fraction, made.seed)
    else:
        train, validation = split(keys, faces.identities, made.fraction, made.seed, made.by)
    kept = set(faces.crops.kept.tolist())
    return tuple(np.array([row for row in rows if row in kept], dtype=np.int64) for rows in (train, validation))  # type: ignore[return-value]


def explained_rows(faces: Faces, training: Training, labels: Labels) -> tuple[np.ndarray, bool]:
    """Rows of the images that may be explained, and whether they were held out.

    They are validation images that have a class, or where there are none, training images.
    """
    train, validation = rows_of(faces, training)
    if training.split.by == "identities" and (not training.targets or IDENTITY in training.targets):
        return train, False
    if training.targets and labels.names:
        train, validation = (rows[labels.primary[rows] >= 0] for rows in (train, validation))
    return (validation, True) if len(validation) else (train, False)


def known_counts(labels: Labels, rows: np.ndarray) -> Mapping[str, int]:
    """Of several targets, how many of the rows have a known value, by name."""
    if not isinstance(labels.classes, dict):
        return {}
    known = np.isfinite(labels.values[rows]).sum(axis=0).tolist()
    return dict(zip(labels.classes, known, strict=True))


def _column(column: Column) -> tuple[np.ndarray, tuple[str, ...] | None]:
    return np.where(column.known, column.values, np.nan), column.classes


def _held(faces: Faces, training: Training) -> set[str]:
    made = training.split
    return set(held_identities(faces.identities, made.fraction, made.seed)) if made.by == "identities" else set()
