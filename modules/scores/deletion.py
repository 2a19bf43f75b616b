"""Deletion (Petsiuk et al., BMVC 2018, Section 4.1): see ``modules.metrics.image_game``."""

from __future__ import annotations

from typing import Any, Literal

from modules.explained import Explained
from modules.scoring import GameConfig, flattened, image_game, told


class Config(GameConfig):
    """Those of ``GameConfig``; nothing is blurred here, so ``blur`` counts for nothing."""

    name: Literal["deletion"] = "deletion"

    def build(self) -> Deletion:
        return Deletion(self)


class Deletion:
    """The most important pixels turn mid-grey first; the area under what is explained. A low area is good.

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
        found, names = image_game(self.config, "deletion", explained)
        headline = "probability" if "probability" in names else names[0]
        methods = flattened(found["methods"], names)
        return told(
            explained, methods, {name: name for name in names}, headlines=[headline], lower_is_better=list(names), details=found
        )
