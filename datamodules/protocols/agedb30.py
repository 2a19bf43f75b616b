"""AgeDB-30: 6,000 pairs of AgeDB whose ages differ by 30 years.

Moschoglou, Papaioannou, Sagonas, Deng, Kotsia, Zafeiriou: AgeDB: the first manually collected, in-the-wild age database. CVPR
workshops 2017. Ten folds of 300 genuine and 300 impostor pairs. AgeDB's own split is no plain list; the text lists that the
field passes on have one pair a line, ``path path label`` (or label first), fold by fold. Where such a list names images of
an unpacked evaluation set (``0.jpg 1.jpg``), which tell no person, use the protocol ``pairs`` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.datasets.agedb import Config as AgeDb
from datamodules.lfw_lists import PairList
from datamodules.listed import ListedConfig
from datamodules.pair_list import Order, read_pairs


class Config(ListedConfig):
    name: Literal["agedb30"] = "agedb30"
    needs: ClassVar[str] = "root: AgeDB; file: the text list of 6,000 pairs, else agedb_30_pair.txt in root"
    terms: ClassVar[str] = "AgeDB's"
    origin: ClassVar[str] = (
        "such a list comes with most public face-recognition code, or is written from the split in AgeDB's own archive"
    )
    root: Annotated[Path, LOCATION]  # AgeDB
    file: Annotated[Path | None, LOCATION] = None  # absent: agedb_30_pair.txt in root
    layout: Literal["path_path_label", "label_path_path"] = "path_path_label"
    order: Order = "blocks"
    prefix: str = ""  # what stands before the list's paths in the keys of AgeDB's images
    suffix: str = ""

    def dataset(self) -> AgeDb:
        return AgeDb(root=self.root)

    def lacking(self) -> Missing | None:
        return None if self._file().is_file() else Missing(f"no list {self._file()}", self.how())

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self._file(), self.layout, order=self.order, prefix=self.prefix, suffix=self.suffix)]

    def _file(self) -> Path:
        return self.file or self.root / "agedb_30_pair.txt"
