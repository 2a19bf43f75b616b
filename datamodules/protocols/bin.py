"""Verification on an InsightFace file (``lfw.bin``, ``agedb_30.bin``, ``cfp_fp.bin``, ...), with its pairs in ten folds.

Deng, Guo, Xue, Zafeiriou: ArcFace: Additive angular margin loss for deep face recognition. CVPR 2019. The folds are those of
its code: the first tenth of the pairs in file order is fold 0, and so on. If the number of pairs is not divisible, the first
folds have one pair more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from configs.component import LOCATION
from configs.data_interfaces import Manifest, ProtocolConfig
from datamodules.datasets.bin import BinDatasetConfig as Bin
from datamodules.datasets.bin import identities, key
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.formats.bins import read_bin


class BinProtocolConfig(ProtocolConfig):
    name: Literal["bin"] = "bin"
    root: Annotated[Path, LOCATION]  # the file
    folds: int = Field(default=10, ge=2)

    def dataset(self) -> Bin:
        return Bin(root=self.root)

    def pairs(self, manifest: Manifest) -> Pairs:
        found = read_bin(self.root)
        count = len(found.same)
        if count < self.folds:
            raise ValueError(f"{self.root}: {count} pairs do not fill {self.folds} folds")
        rows = {name: row for row, name in enumerate(manifest.keys)}
        sides = []
        for place, stored in enumerate(found.images):
            pair, side = divmod(place, 2)
            name = key(pair, side)
            where = f"{self.root}, offset {stored.offset}: pair {pair} compares the image {name}"
            if name not in rows:
                why = f"was skipped: {manifest.skipped[name]}" if name in manifest.skipped else "is not in the dataset"
                raise ValueError(f"{where}, which {why}")
            if manifest.identities[rows[name]] != identities(found.sha256, pair, bool(found.same[pair]))[side]:
                raise ValueError(
                    f"{where}, which is of another file: the file changed after it was scanned; plan the grid again"
                )
            sides.append(rows[name])
        return Pairs(
            left=np.array(sides[::2], np.int64),
            right=np.array(sides[1::2], np.int64),
            same=found.same,
            fold=folds(count, self.folds),
        )


def folds(pairs: int, count: int) -> np.ndarray:
    """The fold of each pair, int64 (pairs,): contiguous folds whose sizes differ by at most one, larger ones first."""
    sizes = np.full(count, pairs // count, np.int64)
    sizes[: pairs % count] += 1
    return np.repeat(np.arange(count, dtype=np.int64), sizes)
