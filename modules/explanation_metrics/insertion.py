"""Insertion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.attribution.metric_utilities import GameConfig, PixelGame
from modules.metrics.image_game import Game


class InsertionConfig(GameConfig):
    """Those of ``GameConfig``."""

    name: Literal["insertion"] = "insertion"

    def build(self) -> Insertion:
        return Insertion(self)


class Insertion(PixelGame):
    """The blurred image gets its most important pixels back; the area under what is explained. A high area is good."""

    game: ClassVar[Game] = "insertion"
