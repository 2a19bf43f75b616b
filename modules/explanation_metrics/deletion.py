"""Deletion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.attribution.metric_utilities import GameConfig, PixelGame
from modules.metrics.image_game import Game


class DeletionConfig(GameConfig):
    """Fields as ``GameConfig``; ``blur`` is ignored, since deletion does not blur."""

    name: Literal["deletion"] = "deletion"

    def build(self) -> Deletion:
        return Deletion(self)


class Deletion(PixelGame):
    """Sets the most important pixels to mid-gray first; the area under the curve of the explained score. Lower is better."""

    game: ClassVar[Game] = "deletion"
    low_is_good: ClassVar[bool] = True
