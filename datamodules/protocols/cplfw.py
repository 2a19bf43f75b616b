"""CPLFW: LFW's persons in poses far apart.

Zheng, Deng: Cross-pose LFW: a database for studying cross-pose face recognition in unconstrained environments. Beijing
University of Posts and Telecommunications, Report 18-01, 2018. 3,000 genuine and 3,000 impostor pairs, two lines each:
image and label, 1 or 0; pair i of each kind is put into fold floor(i / 300).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.datasets.flat import Config as Flat
from datamodules.lfw_lists import PairList
from datamodules.listed import OneListConfig
from datamodules.pair_list import read_pairs


class Config(OneListConfig):
    name: Literal["cplfw"] = "cplfw"
    published: ClassVar[str] = "pairs_CPLFW.txt"
    needs: ClassVar[str] = "root: the folder with pairs_CPLFW.txt and the folder of images"
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Weihong Deng's group, Beijing University of Posts and Telecommunications) give it out"
    images: Annotated[str, LOCATION] = "aligned images"  # the folder of images in root; the archive also has others

    def dataset(self) -> Flat:
        return Flat(root=self.root / self.images, space="lfw")

    def missing(self) -> Missing | None:
        if not (self.root / self.images).is_dir():
            return Missing(f"no folder {self.root / self.images} with CPLFW's images", self.how())
        return super().missing()

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), "two_lines_label", order="kinds")]
