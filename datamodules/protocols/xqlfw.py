"""XQLFW: cross-quality verification on LFW's subjects.

Knoche, Hormann, Rigoll: Cross-quality LFW: a database for analyzing cross-resolution image face recognition in unconstrained
environments. FG 2021. Ten folds of 300 genuine and 300 impostor pairs, in the layout of LFW's ``pairs.txt``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from configs.component import Missing
from datamodules.datasets.folder import FolderDatasetConfig as Folder
from datamodules.evaluation_sets.pair_lists import OneListConfig
from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.pair_list import read_pairs


class XQLFWProtocolConfig(OneListConfig):
    name: Literal["xqlfw"] = "xqlfw"
    published: ClassVar[str] = "xqlfw_pairs.txt"
    needs: ClassVar[str] = (
        "root: the folder with one folder per subject; file: the list, else xqlfw_pairs.txt in root or beside it"
    )
    terms: ClassVar[str] = "MIT license, and LFW's own terms"
    origin: ClassVar[str] = "public, in the release of its authors (Technical University of Munich)"
    suffix: str = ".jpg"  # of the images

    def dataset(self) -> Folder:
        return Folder(root=self.root, space="lfw")

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root} with XQLFW", self.how())
        return super().missing()

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), "lfw", suffix=self.suffix)]

    def list_file(self) -> Path:
        inside, beside = self.root / self.published, self.root.parent / self.published
        return self.file or (beside if beside.is_file() and not inside.is_file() else inside)
