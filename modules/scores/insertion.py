"""Insertion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import Any, Literal

from modules.explained import Explained
from modules.scoring import GameConfig, flattened, image_game, told


class Config(GameConfig):
    """Those of ``GameConfig``."""

    name: Literal["insertion"] = "insertion"

    def build(self) -> Insertion:
        return Insertion(self)


class Insertion:
    """The blurred image gets its most important pixels back; the area under what is explained. A high area is good.

    Numbers: of a class target ``probability``, ``score`` (the logit) and ``accuracy``; of pairs, each image for itself, the
    ``cosine`` with the other image as it is, or the ``distance`` where that was explained.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``.

        Raises:
            Refused: ``not_finite``: a number is none, as the cosine of an embedding without a direction.
        """
        found, names = image_game(self.config, "insertion", explained)
        headline = "probability" if "probability" in names else names[0]
        methods = flattened(found["methods"], names)
        return told(explained, methods, {name: name for name in names}, headlines=[headline], details=found)
