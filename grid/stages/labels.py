"""Training labels: the label of each image, which images are held out, and which may be explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.data_interfaces import Column
from datamodules.families import split_families
from datamodules.split import held_identities, split, stratified, thinned
from grid.spec.training import IDENTITY, Training
from grid.stages.context import Faces
from modules.targets import TargetsConfig, objective


@dataclass(frozen=True, eq=False)
class Labels:
    """One row per image of the training data.

    Attributes:
        values: input of the network's loss: int64 (N,), the class; with several targets float32 (N, targets) in the order of
            their names, NaN if unknown
        classes: number of classes; with several targets one for each, 0 for numeric targets
        primary: int64 (N,), the class predicted by the network's ``forward``; -1 if there is none
        names: of these classes
        identities: int64 (N,), equal numbers for equal identities
    """

    values: np.ndarray
    classes: int | dict[str, int]
    primary: np.ndarray
    names: tuple[str, ...]
    identities: np.ndarray


def labels_of(manifest: Any, training: Training) -> Labels:
    """The labels of all images of a manifest.

    Identities held out by ``split.by: identities`` have no class: their numbers follow those of the classes.
    """
    made = training.split
    held = set(held_identities(manifest.identities, made.fraction, made.seed)) if made.by == "identities" else set[str]()
    classes = sorted(set(manifest.identities) - held)
    number = {who: index for index, who in enumerate([*classes, *sorted(held)])}
    identities = np.array([number[who] for who in manifest.identities], dtype=np.int64)
    loss = objective(training)
    if not isinstance(loss, TargetsConfig):
        return Labels(identities, len(classes), identities, tuple(classes), identities)
    columns = target_columns(manifest, training)
    targets = {name: (np.where(column.known, column.values, np.nan), column.classes) for name, column in columns.items()}
    if IDENTITY in loss.names:
        targets[IDENTITY] = (np.where(identities < len(classes), identities, np.nan), tuple(classes))
    values = np.stack([targets[name][0] for name in loss.names], axis=1).astype(np.float32)
    names = targets[loss.primary][1] or ()
    primary = np.nan_to_num(targets[loss.primary][0], nan=-1).astype(np.int64) if names else np.full(len(identities), -1)
    return Labels(values, {name: len(targets[name][1] or ()) for name in loss.names}, primary, names, identities)


def target_columns(manifest: Any, training: Training) -> dict[str, Column]:
    """The labels of each target except the identity, by name."""
    columns = training.data.columns(manifest)
    return {name: target.learned(name, columns) for name, target in training.targets.items() if name != IDENTITY}


def class_counts(faces: Faces, training: Training, rows: np.ndarray) -> dict[str, list[list[Any]]]:
    """For each target with classes except the identity, by name: (class, number of its images among the rows), in order."""
    found: dict[str, list[list[Any]]] = {}
    for name, column in target_columns(faces.manifest, training).items():
        if column.classes is not None:
            values = column.values[rows]
            counts = np.bincount(values[values >= 0], minlength=len(column.classes)).tolist()
            found[name] = [list(pair) for pair in zip(column.classes, counts, strict=True)]
    return found


def rows_of(faces: Faces, training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows. The split is made over all images, so it does not depend on the faces a detector missed.

    By images, a fraction of each identity's images is held out or, if the identity is not among the targets, a fraction of each
    combination of the targets' classes. Families and the published split: see ``grid.spec.training.Split``.
    """
    made = training.split
    keys = faces.manifest.keys
    if made.by == "official":
        held = training.data.official_validation(faces.manifest)
        assert held is not None, "checked when the grid is planned"
        train, validation = np.flatnonzero(~held), np.flatnonzero(held)
    elif made.by == "families":
        strata = [column.values for column in target_columns(faces.manifest, training).values() if column.classes is not None]
        train, validation = split_families(keys, faces.family(made.near), strata, made.fraction, made.seed)
    elif made.by == "images" and training.targets and IDENTITY not in training.targets:
        train, validation = stratified(keys, _strata(faces, training), made.fraction, made.seed)
    else:
        train, validation = split(keys, faces.identities, made.fraction, made.seed, made.by)
    if made.share < 1:
        train = thinned(keys, _thinned_together(faces, training), train, made.share, made.seed)
    kept = set(faces.crops.kept.tolist())
    return tuple(np.array([row for row in rows if row in kept], dtype=np.int64) for rows in (train, validation))  # type: ignore[return-value]


def _thinned_together(faces: Faces, training: Training) -> Sequence[str]:
    """What ``split.share`` keeps a share of: each identity or, where every image has its own, each combination of classes."""
    if training.data.identified:
        return faces.identities
    strata = _strata(faces, training) if training.targets else []
    return [str([int(values[row]) for values in strata]) for row in range(len(faces.manifest.keys))]


def _strata(faces: Faces, training: Training) -> list[np.ndarray]:
    """The classes of the images, of each target that has classes, in the order of their names."""
    columns = target_columns(faces.manifest, training)
    return [columns[name].values for name in sorted(columns) if columns[name].classes is not None]


def explained_rows(faces: Faces, training: Training, labels: Labels) -> tuple[np.ndarray, bool]:
    """Rows of the images that may be explained, and whether they were held out.

    They are validation images that have a class or, if there are none, training images.
    """
    train, validation = rows_of(faces, training)
    if training.split.by == "identities" and (not training.targets or IDENTITY in training.targets):
        return train, False
    if training.targets and labels.names:
        train, validation = (rows[labels.primary[rows] >= 0] for rows in (train, validation))
    return (validation, True) if len(validation) else (train, False)


def known_counts(labels: Labels, rows: np.ndarray) -> Mapping[str, int]:
    """For each of several targets, by name, the number of rows with a known value."""
    if not isinstance(labels.classes, dict):
        return {}
    known = np.isfinite(labels.values[rows]).sum(axis=0).tolist()
    return dict(zip(labels.classes, known, strict=True))
