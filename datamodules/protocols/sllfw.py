"""SLLFW: LFW View 2 with similar-looking impostors.

Deng, Hu, Zhang, Chen, Guo: Fine-grained face verification: FGLFW database, baselines, and human-DCMN partnership. Pattern
Recognition 66, 2017. The genuine pairs are those of View 2; its impostors are replaced by 3,000 pairs of similar-looking
subjects selected by humans. The list has two lines per pair, each ``subject/image``, in fold order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from datamodules.datasets.lfw import LFWDatasetConfig as Lfw
from datamodules.evaluation_sets.pair_lists import OneListConfig
from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.pair_list import Order, read_pairs


class SLLFWProtocolConfig(OneListConfig):
    name: Literal["sllfw"] = "sllfw"
    published: ClassVar[str] = "pair_SLLFW.txt"
    needs: ClassVar[str] = "root: LFW; file: the list of pairs, else pair_SLLFW.txt in root"
    terms: ClassVar[str] = "research only; its images are LFW's"
    origin: ClassVar[str] = (
        "public, at the home page of the authors (Weihong Deng's group, Beijing University of Posts and Telecommunications)"
    )
    folds: Annotated[int, Field(ge=2)] = 10
    order: Order = "blocks"

    def dataset(self) -> Lfw:
        return Lfw(root=self.root)

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.list_file(), "two_lines_subject", self.folds, self.order)]
