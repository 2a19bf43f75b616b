"""The images of an InsightFace verification set, such as ``lfw.bin``, ``agedb_30.bin`` or ``cfp_fp.bin``.

Such a file labels pairs as genuine or impostor but does not identify subjects. Each pair is therefore given identities of its
own: one if it is genuine, two if not. Identity names start with the file's digest, so that identities of different files never
match, whatever the file names. Subject overlap with a training set cannot be detected, but byte-identical images can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from configs.component import LOCATION, Missing
from datamodules.formats.bins import read_bin
from datamodules.formats.byte_ranges import ByteRanges, Listing
from datamodules.formats.containers import ContainerConfig, Unwrap
from datamodules.formats.safe_pickle import stored_bytes


class BinDatasetConfig(ContainerConfig):
    name: Literal["bin"] = "bin"
    namespace: ClassVar[str] = "bin"
    needs: ClassVar[str] = "root: one file, such as lfw.bin"
    terms: ClassVar[str] = "those of the set that it holds"
    origin: ClassVar[str] = "such files come with the training sets of the InsightFace project"
    root: Annotated[Path, LOCATION]  # the file

    def missing(self) -> Missing | None:
        return None if self.root.is_file() else Missing(f"no file {self.root}", self.how())

    def files(self) -> tuple[Path, ...]:
        return (self.root,)

    def listing(self, files: tuple[Path, ...]) -> Listing:
        found = read_bin(files[0])
        names = [name for pair, same in enumerate(found.same.tolist()) for name in identities(found.sha256, pair, same)]
        offset, length, coding = np.array(found.images, np.int64).T
        return Listing(
            keys=tuple(key(pair, side) for pair in range(len(found.same)) for side in (0, 1)),
            identities=tuple(names),
            places=ByteRanges(files, np.zeros(len(names), np.int32), offset, length, coding.astype(np.int8)),
        )

    def unwrap(self) -> Unwrap:
        return stored_bytes


def key(pair: int, side: int) -> str:
    """The key of image 2 ``pair`` + ``side``."""
    return f"pair-{pair:06d}/{side}"


def identities(sha256: str, pair: int, same: bool) -> tuple[str, str]:
    """The identities of the two images of a pair."""
    name = f"{sha256[:16]}/pair-{pair:06d}"
    return (name, name) if same else (f"{name}-0", f"{name}-1")
