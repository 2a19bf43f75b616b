"""Insertion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.attribution.metric_utilities import GameConfig, PixelGame
from modules.metrics.image_game import Game


class InsertionConfig(GameConfig):
    """Fields as ``GameConfig``."""

    name: Literal["insertion"] = "insertion"

    def build(self) -> Insertion:
        return Insertion(self)


class Insertion(PixelGame):
    """Restores the most important pixels of a blurred image first; the area under the explained score. Higher is better."""

    game: ClassVar[Game] = "insertion"
