"""CALFW and CPLFW: images of LFW's subjects in one folder, and a list with two lines per pair, each an image and a label."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Annotated, ClassVar

from configs.component import LOCATION, Missing
from datamodules.datasets.flat import FlatDatasetConfig as Flat
from datamodules.evaluation_sets.pair_lists import OneListConfig
from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.pair_list import read_pairs


class AlignedListConfig(OneListConfig, ABC):
    """CALFW and CPLFW share an archive layout and differ only in images and pairs."""

    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Weihong Deng's group, Beijing University of Posts and Telecommunications) give it out"
    images: Annotated[str, LOCATION] = "aligned images"  # image folder in root; the archive contains others too

    def dataset(self) -> Flat:
        return Flat(root=self.root / self.images, space="lfw")

    def missing(self) -> Missing | None:
        if not (self.root / self.images).is_dir():
            return Missing(f"no folder {self.root / self.images} with {self.name.upper()}'s images", self.how())
        return super().missing()

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), "two_lines_label", order="kinds")]
