"""Training sets in MXNet RecordIO (``.rec`` with ``.idx``), as used for ArcFace: MS1MV2, MS1MV3, Glint360K, CASIA-WebFace.

Deng, Guo, Xue, Zafeiriou: ArcFace: Additive angular margin loss for deep face recognition. CVPR 2019.

Record 0 contains no image: its two labels are the number of the first subject record and the number after the last one. A
subject record has two labels as well: its subject's first image, and the one after the last. These labels are float32, which is
not exact beyond 2**24. Each image's own label is therefore authoritative, and the rest must agree with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from configs.component import LOCATION, Missing
from datamodules.formats.byte_ranges import ByteRanges, Listing
from datamodules.formats.containers import SubjectsConfig, Unwrap
from datamodules.formats.recordio import Records, image_bytes, read_headers, read_index

EXACT = 1 << 24  # float32 represents integers up to here exactly


class RecordIODatasetConfig(SubjectsConfig):
    name: Literal["recordio"] = "recordio"
    needs: ClassVar[str] = "root: the folder with train.rec and train.idx, or a .rec file with its .idx file beside it"
    terms: ClassVar[str] = "those of the set that it holds"
    origin: ClassVar[str] = (
        "training sets of the InsightFace project (MS1MV2, MS1MV3, Glint360K, CASIA-WebFace) come in this form"
    )
    root: Annotated[Path, LOCATION]
    space: str = "recordio"  # datasets with the same space share subjects: equal labels are the same subject

    @property
    def namespace(self) -> str:
        return self.space

    def missing(self) -> Missing | None:
        for file, what in zip(self.files(), ("records", "index"), strict=True):
            if not file.is_file():
                return Missing(f"no {what} {file}", self.how())
        return None

    def files(self) -> tuple[Path, Path]:
        rec = self.root if self.root.suffix == ".rec" else self.root / "train.rec"
        return rec, rec.with_suffix(".idx")

    def listing(self, files: tuple[Path, ...]) -> Listing:
        """Keys are record numbers, identities are labels."""
        records = read_headers(files[0], *read_index(files[1]))
        rows = image_rows(files[0], records)
        labels = records.labels[rows, 0]
        bad = ~((labels >= 0) & (labels < EXACT) & (labels == np.floor(labels)))
        if bad.any():
            place = int(np.argmax(bad))
            raise ValueError(f"{files[0]}, offset {records.offset[rows][place]}: the label {labels[place]} is no class number")
        numbers = records.number[rows].tolist()
        classes = labels.astype(np.int64).tolist()
        names = {label: str(label) for label in set(classes)}  # one string object per subject, not per image
        return Listing(
            keys=tuple(f"{number:08d}" for number in numbers),
            identities=tuple(names[label] for label in classes),
            places=ByteRanges(
                files=files[:1],
                file=np.zeros(len(rows), np.int32),
                offset=records.offset[rows],
                length=records.length[rows],
                coding=np.zeros(len(rows), np.int8),
            ),
        )

    def unwrap(self) -> Unwrap:
        return image_bytes


def image_rows(path: Path, records: Records) -> np.ndarray:
    """The rows of the records that contain images, int64 (N,).

    Raises:
        ValueError: the file disagrees with record 0; gives file and offset.
    """
    subjects = (records.flag == 2) & (records.payload == 0)
    first = int(np.argmin(records.number))
    if records.number[first] != 0 or not subjects[first]:
        return np.arange(len(records.number))
    count = len(records.number)
    if not np.array_equal(records.number, np.arange(count)):
        row = int(np.argmax(records.number != np.arange(count)))
        raise ValueError(f"{path}, offset {records.offset[row]}: record {records.number[row]} where {row} is due")
    start = count - int(np.argmin(subjects[::-1])) if not subjects.all() else 1
    told = records.labels[0]
    if told[0] != np.float32(start) or told[1] != np.float32(count):
        raise ValueError(
            f"{path}, offset 0: announces subjects at {told[0]:.0f} to {told[1]:.0f}, found them from record {start} to {count}"
        )
    _check_subjects(path, records, start)
    return np.arange(1, start)


def _check_subjects(path: Path, records: Records, start: int) -> None:
    """Checks that the subject records' ranges are the runs of equal image labels."""
    labels = records.labels[1:start, 0]
    edges = np.flatnonzero(np.diff(labels)) + 2
    runs = np.stack([np.append(1, edges), np.append(edges, start)], axis=1).astype(np.float32)
    told = records.labels[start:]
    order = np.lexsort((told[:, 1], told[:, 0]))
    size = min(len(runs), len(told))
    wrong = (told[order][:size] != runs[:size]).any(axis=1)
    if wrong.any() or len(runs) != len(told):
        place = int(np.argmax(wrong)) if wrong.any() else size
        row = start + int(order[place]) if place < len(told) else start
        what = f"{told[order][place][0]:.0f} to {told[order][place][1]:.0f}" if place < len(told) else "nobody"
        due = f"{runs[place][0]:.0f} to {runs[place][1]:.0f}" if place < len(runs) else "nobody"
        raise ValueError(
            f"{path}, offset {records.offset[row]}: a subject has the images {what}, but by their labels the images are {due} "
            f"({len(told)} subjects announced, {len(runs)} found)"
        )
