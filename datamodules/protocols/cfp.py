"""CFP-FP and CFP-FF: 7,000 pairs of a frontal and a profile image, or of two frontal images.

Sengupta, Chen, Castillo, Patel, Chellappa, Jacobs: Frontal to profile face verification in the wild. WACV 2016. Ten folds
of 350 genuine and 350 impostor pairs each; ``list_readers/cfp.py`` describes the list format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from configs.component import LOCATION, Missing
from datamodules.datasets.cfp import CFPDatasetConfig as Cfp
from datamodules.evaluation_sets.pair_lists import ListedConfig
from datamodules.list_readers.cfp import Kind, list_files, read_cfp
from datamodules.list_readers.lfw import PairList


class CFPProtocolConfig(ListedConfig):
    name: Literal["cfp"] = "cfp"
    root: Annotated[Path, LOCATION]
    compare: Kind = "frontal_profile"

    def dataset(self) -> Cfp:
        return Cfp(root=self.root)

    def lacking(self) -> Missing | None:
        absent = [file for file in list_files(self.root / "Protocol", self.compare) if not file.is_file()]
        return Missing(f"no list {absent[0]} ({len(absent)} lists are absent)", self.dataset().how()) if absent else None

    def lists(self) -> Sequence[PairList]:
        return read_cfp(self.root / "Protocol", self.compare)
