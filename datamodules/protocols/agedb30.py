"""AgeDB-30: 6,000 pairs of AgeDB with an age difference of 30 years.

Moschoglou, Papaioannou, Sagonas, Deng, Kotsia, Zafeiriou: AgeDB: the first manually collected, in-the-wild age database. CVPR
workshops 2017. Ten folds of 300 genuine and 300 impostor pairs. AgeDB's own split is not a plain list; the text lists in
common use have one pair per line, ``path path label`` (or label first), fold by fold. If such a list names images of an
unpacked evaluation set (``0.jpg 1.jpg``), which do not identify subjects, use the protocol ``pairs`` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from datamodules.datasets.agedb import AgeDBDatasetConfig as AgeDb
from datamodules.evaluation_sets.pair_lists import OneListConfig
from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.pair_list import Order, read_pairs


class AgeDB30ProtocolConfig(OneListConfig):
    name: Literal["agedb30"] = "agedb30"
    published: ClassVar[str] = "agedb_30_pair.txt"
    needs: ClassVar[str] = "root: AgeDB; file: the text list of 6,000 pairs, else agedb_30_pair.txt in root"
    terms: ClassVar[str] = "AgeDB's"
    origin: ClassVar[str] = (
        "such a list comes with most public face-recognition code, or is written from the split in AgeDB's own archive"
    )
    layout: Literal["path_path_label", "label_path_path"] = "path_path_label"
    order: Order = "blocks"
    prefix: str = ""  # prefix of the list's paths in the keys of AgeDB's images
    suffix: str = ""

    def dataset(self) -> AgeDb:
        return AgeDb(root=self.root)

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), self.layout, order=self.order, prefix=self.prefix, suffix=self.suffix)]
