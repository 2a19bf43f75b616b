"""CALFW: LFW's persons at ages far apart.

Zheng, Deng, Hu: Cross-age LFW: a database for studying cross-age face recognition in unconstrained environments. 2017
(arXiv:1708.08197). 3,000 genuine and 3,000 impostor pairs, two lines each: image and label. Genuine pairs carry the number of
their fold, 1 to 10; impostors carry 0, and impostor pair i of 3,000 is put into fold floor(i / 300).
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
    name: Literal["calfw"] = "calfw"
    published: ClassVar[str] = "pairs_CALFW.txt"
    needs: ClassVar[str] = "root: the folder with pairs_CALFW.txt and the folder of images"
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Weihong Deng's group, Beijing University of Posts and Telecommunications) give it out"
    images: Annotated[str, LOCATION] = "aligned images"  # the folder of images in root; the archive also has others

    def dataset(self) -> Flat:
        return Flat(root=self.root / self.images, space="lfw")

    def missing(self) -> Missing | None:
        if not (self.root / self.images).is_dir():
            return Missing(f"no folder {self.root / self.images} with CALFW's images", self.how())
        return super().missing()

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), "two_lines_label", order="kinds")]
