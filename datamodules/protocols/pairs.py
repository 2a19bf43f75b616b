"""Verification with any pair list on any dataset: for your own lists, and for published lists that have no protocol here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from configs.component import LOCATION, Missing
from datamodules.evaluation_sets.pair_lists import ListedConfig
from datamodules.evaluation_sets.tasks import OnDatasetConfig
from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.pair_list import Layout, Order, read_pairs


class PairsProtocolConfig(OnDatasetConfig, ListedConfig):
    name: Literal["pairs"] = "pairs"
    needs: ClassVar[str] = "data: any dataset; file: the list of pairs, in one of the layouts"
    terms: ClassVar[str] = "your own"
    origin: ClassVar[str] = "your own list"
    file: Annotated[Path, LOCATION]
    layout: Layout
    folds: Annotated[int, Field(ge=2)] = 10  # number of folds, if the list does not number them
    order: Order = "blocks"  # blocks: the list is in fold order; kinds: spread the pairs of each kind over the folds
    prefix: str = ""  # prefix of the list's paths in the dataset's keys
    suffix: str = ""  # and suffix

    def lacking(self) -> Missing | None:
        return None if self.file.is_file() else Missing(f"no list {self.file}", "set file to a list of pairs")

    def lists(self) -> Sequence[PairList]:
        return [read_pairs(self.file, self.layout, self.folds, self.order, self.prefix, self.suffix)]
