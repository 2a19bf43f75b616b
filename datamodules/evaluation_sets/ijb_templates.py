"""The templates of IJB-B and IJB-C as rows of a manifest, for 1:1 verification and 1:N identification."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from configs.interfaces import Manifest
from datamodules.datasets.ijb import IJBDatasetConfig as Ijb
from datamodules.evaluation_sets.templates import Templates
from datamodules.list_readers.ijb import Faces, line_of


def image_rows(faces: Faces, manifest: Manifest) -> np.ndarray:
    """int64 (M,): the manifest row of each line of the list; -1 if the skip policy left the image out.

    Raises:
        ValueError: an image is not in the dataset; gives list, line and image.
    """
    places = {key: row for row, key in enumerate(manifest.keys)}
    rows = np.fromiter((places.get(name, -1) for name in faces.names), np.int64, len(faces.names))
    for place in np.flatnonzero(rows < 0).tolist():
        if faces.names[place] not in manifest.skipped:
            line = line_of(faces.file, place)
            raise ValueError(f"{faces.file}, line {line}: names the image {faces.names[place]}, which is not in the dataset")
    return rows


def ijb_templates(data: Ijb, manifest: Manifest, detector_score: bool, subjects: Mapping[int, int] | None = None) -> Templates:
    """The templates of the set, ordered by number.

    Args:
        data: the dataset
        manifest: its images
        detector_score: weight each image by its detection score
        subjects: template -> subject; None takes all templates, with unknown subjects

    Raises:
        ValueError: an image is missing, or the skip policy left out all images of a template.
    """
    faces = data.faces()
    rows = image_rows(faces, manifest)
    wanted = (
        np.ones(len(rows), bool)
        if subjects is None
        else np.isin(faces.template, np.fromiter(subjects, np.int64, len(subjects)))
    )
    kept = np.flatnonzero(wanted & (rows >= 0))
    lost = np.setdiff1d(faces.template[wanted], faces.template[kept])
    if len(lost):
        raise ValueError(
            f"{faces.file}: template {lost[0]} has no image left, as have {len(lost)}: all of its images were skipped"
        )
    weights = None
    if detector_score:
        weights = data.points(manifest).scores[rows[kept]]
    return Templates.of(rows[kept], faces.media[kept], faces.template[kept], dict(subjects or {}), weights)


def places_of(templates: Templates, numbers: np.ndarray) -> np.ndarray:
    """int32: index of each template number, -1 if there is none. Fast for millions of numbers."""
    named = templates.numbers  # sorted
    if len(named) and named[0] >= 0 and named[-1] < 50_000_000:  # use a lookup table: the numbers are small in IJB
        table = np.full(int(named[-1]) + 2, -1, np.int32)
        table[named] = np.arange(len(named), dtype=np.int32)
        last = len(table) - 1  # the entry of all numbers out of range
        return table[np.where((numbers < 0) | (numbers > last), last, numbers)]
    places = np.minimum(np.searchsorted(named, numbers), max(len(named) - 1, 0))
    return np.where(named[places] == numbers, places, -1).astype(np.int32)
