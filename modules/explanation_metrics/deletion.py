"""Deletion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.attribution.metric_utilities import GameConfig, PixelGame
from modules.metrics.image_game import Game


class DeletionConfig(GameConfig):
    """Those of ``GameConfig``; nothing is blurred here, so ``blur`` counts for nothing."""

    name: Literal["deletion"] = "deletion"

    def build(self) -> Deletion:
        return Deletion(self)


class Deletion(PixelGame):
    """The most important pixels turn mid-grey first; the area under what is explained. A low area is good."""

    game: ClassVar[Game] = "deletion"
    low_is_good: ClassVar[bool] = True
