"""IJB-B and IJB-C in their common form: loosely cropped faces, with lists of landmarks and detection scores.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. The lists of the 1:1 protocol do not identify subjects, so the identity of an image is the first
template that contains it ("template 69544"). It can be used for counting, but not to tell whether two templates are of the same
subject.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from configs.component import LOCATION, Missing, file_digest
from configs.data_interfaces import Manifest
from datamodules.detection import Detections
from datamodules.formats.files import FilesConfig, Images
from datamodules.list_readers.ijb import Faces, Points, Set, files, read_faces, read_points

TITLES = {"ijbb": "IJB-B", "ijbc": "IJB-C"}


class IJBDatasetConfig(FilesConfig):
    name: Literal["ijb"] = "ijb"
    needs: ClassVar[str] = "root: the folder with loose_crop/ and meta/"
    terms: ClassVar[str] = "research only, under NIST's own agreement"
    origin: ClassVar[str] = (
        "NIST gives it out on request; the loose crops and the lists below meta/ come with the public evaluation "
        "code of the InsightFace project"
    )
    set: Set = "ijbc"
    root: Annotated[Path, LOCATION]

    @model_validator(mode="after")
    def _templates_are_no_subjects(self) -> IJBDatasetConfig:
        if self.min_images != 1:
            raise ValueError("min_images: the lists of IJB name templates, not subjects")
        return self

    @property
    def namespace(self) -> str:
        return self.set

    def missing(self) -> Missing | None:
        if not self.folder().is_dir():
            return Missing(f"no folder {self.folder()} with {TITLES[self.set]}'s faces", self.how())
        return self.lacking(files(self.set).faces, files(self.set).points)

    def lacking(self, *names: str) -> Missing | None:
        """Which of these lists are missing in ``meta``; None if all are there."""
        absent = [self.meta() / name for name in names if not (self.meta() / name).is_file()]
        return Missing(f"no list {absent[0]} ({len(absent)} of {len(names)} are absent)", self.how()) if absent else None

    def folder(self) -> Path:
        return self.root / "loose_crop"

    def meta(self) -> Path:
        return self.root / "meta"

    def images(self) -> Images:
        faces, found = self.faces(), dict[str, str]()
        for name, template in zip(faces.names, faces.template.tolist(), strict=True):
            found.setdefault(name, f"template {template}")
        return list(found.items())

    def faces(self) -> Faces:
        """Image, template and medium of each line of the list."""
        return read_faces(self.meta() / files(self.set).faces)

    def points(self, manifest: Manifest) -> Points:
        """Landmarks and detection scores of the manifest's images, in its order.

        Raises:
            ValueError: an image has none; names it.
        """
        listed = read_points(self.meta() / files(self.set).points)
        places = {name: place for place, name in enumerate(listed.names)}
        absent = [key for key in manifest.keys if key not in places]
        if absent:
            raise ValueError(
                f"{listed.file}: has no landmarks of the image {absent[0]} ({len(absent)} of {len(manifest.keys)} have none)"
            )
        rows = np.array([places[key] for key in manifest.keys], np.int64)
        return Points(listed.file, tuple(manifest.keys), listed.points[rows], listed.scores[rows])

    def detections_digest(self) -> str:
        """SHA-256 (hex) of the list that ``detections`` reads."""
        file = self.meta() / files(self.set).points
        facts = file.stat()
        return _digest(file, facts.st_mtime_ns, facts.st_size)

    def detections(self, manifest: Manifest) -> Detections:
        """The lists' landmarks and scores, for ``detector: {name: mtcnn, listed: true}``; the box is the whole loose crop."""
        listed = self.points(manifest)
        boxes = np.zeros((len(manifest.keys), 4), np.float32)
        boxes[:, 2], boxes[:, 3] = manifest.widths, manifest.heights
        return Detections(tuple(manifest.keys), np.ones(len(boxes), bool), boxes, listed.scores, listed.points)


@cache
def _digest(file: Path, _: int, __: int) -> str:
    """Of the content; the other arguments tell apart what the file held before."""
    return file_digest(file)
