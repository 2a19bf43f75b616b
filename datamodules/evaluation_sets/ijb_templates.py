"""The templates of IJB-B and IJB-C as rows of a manifest, for 1:1 verification and 1:N identification."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from configs.component import LOCATION, Born, Missing
from configs.data_interfaces import Manifest, ProtocolConfig
from datamodules.datasets.ijb import IJBDatasetConfig as Ijb
from datamodules.evaluation_sets.templates import Templates
from datamodules.list_readers.ijb import Faces, Set, line_of


class IJBConfig(ProtocolConfig, ABC):
    """Fields of the protocols on IJB-B and IJB-C; the variants N, D and F of public code."""

    set: Set = "ijbc"
    root: Annotated[Path, LOCATION]
    norm: bool = True  # N: embeddings keep their norm, which weights them; False normalizes each one first
    detector_score: bool = True  # D: weight each embedding by its detection score
    flip_test: bool = True  # F: add the embedding of the mirrored image
    on_bad_image: Annotated[Literal["fail", "skip"], Born("fail")] = "fail"  # skip: use a template's remaining images, if any

    @abstractmethod
    def lists(self) -> tuple[str, ...]:
        """The file names of its lists in the folder ``meta`` of the dataset."""

    def dataset(self) -> Ijb:
        return Ijb(set=self.set, root=self.root, on_bad_image=self.on_bad_image)

    def evaluation_identity(self) -> dict[str, Any]:
        return super().evaluation_identity() | {"norm": self.norm}  # detector scores are already in the templates' weights

    def missing(self) -> Missing | None:
        return self.dataset().missing() or self.dataset().lacking(*self.lists())


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
    wanted = np.ones(len(rows), bool) if subjects is None else np.isin(faces.template, list(subjects))
    kept = np.flatnonzero(wanted & (rows >= 0))
    lost = np.setdiff1d(faces.template[wanted], faces.template[kept])
    if len(lost):
        raise ValueError(
            f"{faces.file}: template {lost[0]} has no image left, as have {len(lost)}: all of its images were skipped"
        )
    weights = data.points(manifest).scores[rows[kept]] if detector_score else None
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
