"""LFW View 2 with mined look-alike impostors: the genuine pairs and folds are kept, the impostor pairs are replaced.

The pairs come from a file written by ``lookalike_lists.py`` and were selected by one network, the miner. A cell that would
evaluate the miner itself must be refused, which is what ``miner()`` is for. Huang, Ramesh, Berg, Learned-Miller: Labeled
Faces in the Wild. University of Massachusetts, Amherst, Report 07-49, 2007; the idea of similar-looking impostors is from
SLLFW.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.datasets.lfw import LFWDatasetConfig as Lfw
from datamodules.evaluation_sets.lookalike_lists import miner_of, read_lookalikes
from datamodules.evaluation_sets.lookalikes import folds_of
from datamodules.evaluation_sets.pair_lists import ListedConfig
from datamodules.list_readers.lfw import FILES, PairList, read_list


class LookalikeProtocolConfig(ListedConfig):
    name: Literal["lookalike"] = "lookalike"
    needs: ClassVar[str] = "root: LFW; file: the mined pairs"
    terms: ClassVar[str] = "LFW's"
    origin: ClassVar[str] = "`facegrid mine` chooses them with a trained network"
    root: Annotated[Path, LOCATION]  # LFW
    file: Annotated[Path, LOCATION]  # the mined pairs

    def dataset(self) -> Lfw:
        return Lfw(root=self.root)

    def lacking(self) -> Missing | None:
        view2 = self.root / FILES["view2"]
        if not view2.is_file():
            return Missing(f"no list {view2}", self.how())
        return None if self.file.is_file() else Missing(f"no list of mined pairs {self.file}", self.how())

    def miner(self) -> str:
        """SHA-256 (hex) of the weights that selected the impostors; they must not be evaluated by this protocol."""
        return miner_of(self.file)

    def lists(self) -> Sequence[PairList]:
        view2 = read_list(self.root, "view2")
        mined = read_lookalikes(self.file)
        subjects = folds_of(view2)
        for left, right, _, fold, line in mined.rows():
            for key in (left, right):
                who = key.split("/")[0]
                if subjects.get(who) != fold:
                    where = f"in fold {subjects[who] + 1}" if who in subjects else "in no fold"
                    raise ValueError(f"{mined.file}, line {line}: {who} is not in fold {fold + 1} of View 2 but {where}")
        wanted = Counter(fold for _, _, same, fold, _ in view2.rows() if not same)
        have = Counter(mined.fold)
        for fold, count in sorted(wanted.items()):
            if have[fold] != count:
                raise ValueError(
                    f"{mined.file}: fold {fold + 1} has {have[fold]} mined pairs where View 2 has {count} impostor pairs"
                )
        return [PairList.of(view2.file, (row for row in view2.rows() if row[2])), mined]
