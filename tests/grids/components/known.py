"""Drawn pairs of which a test knows where they differ: impostors below the middle of the image, genuine pairs nowhere."""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.data_interfaces import Dataset
from datamodules.protocols.drawn import DrawnProtocolConfig as Drawn


class Config(Drawn):
    name: Literal["components.known"] = "components.known"  # type: ignore[assignment]

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        manifest = dataset.manifest
        if manifest.identities[row] == manifest.identities[other]:
            return None
        found = np.zeros((manifest.heights[row], manifest.widths[row]), bool)
        found[manifest.heights[row] // 2 :] = True
        return found
