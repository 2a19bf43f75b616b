"""CPLFW: LFW's persons in poses far apart.

Zheng, Deng: Cross-pose LFW: a database for studying cross-pose face recognition in unconstrained environments. Beijing
University of Posts and Telecommunications, Report 18-01, 2018. 3,000 genuine and 3,000 impostor pairs, two lines each:
image and label, 1 or 0; pair i of each kind is put into fold floor(i / 300).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.datasets.flat import Config as Flat
from datamodules.lfw_lists import PairList
from datamodules.listed import ListedConfig
from datamodules.pair_list import read_pairs


class Config(ListedConfig):
    name: Literal["cplfw"] = "cplfw"
    needs: ClassVar[str] = "root: the folder with pairs_CPLFW.txt and the folder of images"
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Weihong Deng's group, Beijing University of Posts and Telecommunications) give it out"
    root: Annotated[Path, LOCATION]
    images: Annotated[str, LOCATION] = "aligned images"  # the folder of images in root; the archive also has others
    file: Annotated[Path | None, LOCATION] = None  # absent: pairs_CPLFW.txt in root

    def dataset(self) -> Flat:
        return Flat(root=self.root / self.images, space="lfw")

    def missing(self) -> Missing | None:
        if not (self.root / self.images).is_dir():
            return Missing(f"no folder {self.root / self.images} with CPLFW's images", self.how())
        return super().missing()

    def lacking(self) -> Missing | None:
        return None if self._file().is_file() else Missing(f"no list {self._file()}", self.how())

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self._file(), "two_lines_label", order="kinds")]

    def _file(self) -> Path:
        return self.file or self.root / "pairs_CPLFW.txt"
