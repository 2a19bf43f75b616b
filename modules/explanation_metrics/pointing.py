"""The pointing game and the energy in the region that truly differs: see ``modules.metrics.pointing``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from configs.component import Born
from configs.explainers import ScoreConfig
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained
from modules.attribution.metric_utilities import finite, told
from modules.metrics.pointing import pointing


class PointingConfig(ScoreConfig):
    """Fields:
    tolerance: pixels of the crop that the maximum may lie off the region
    seed: of the bootstrap and of the random baseline
    resamples: of the bootstrap over images
    centre: standard deviation of the centre baseline, in image heights and widths
    side: which images of a pair count; ``right`` is the face that wears it where a protocol has an occluder
    """

    name: Literal["pointing"] = "pointing"
    tolerance: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=1)
    centre: float = Field(default=0.25, gt=0)
    side: Annotated[Literal["both", "left", "right"], Born("both")] = "both"

    def build(self) -> Pointing:
        return Pointing(self)


class Pointing:
    """Numbers: ``pointing``, the share of images whose maximum lies in the region; ``energy``, the share of the map in it.

    Of pairs, those images count whose region is known and in the crop; signed maps by their values.
    """

    def __init__(self, config: PointingConfig) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``; ``images`` is how many were looked at, ``unknown`` how many have no region in the crop.

        Raises:
            Refused: ``no_region``: what an image should show is not known; ``no_sides``: single images have none.
        """
        regions = explained.regions
        if regions is None:
            what = "where the two images of a pair truly differ" if explained.same is not None else "what a single image shows"
            raise Refused("no_region", f"it is not known {what}")
        config = self.config
        rows = explained.rows
        if config.side != "both":
            if explained.same is None:
                raise Refused("no_sides", f"side is {config.side}, and single images have no sides; leave it out")
            rows = rows[rows % 2 == (config.side == "right")]
        known = rows[regions[rows].any(axis=(1, 2))]
        if len(known) == 0:
            raise Refused("no_region", "no image with a map has a region that is known and lies in its crop")
        with finite():
            found = pointing(
                {name: maps[known] for name, maps in explained.maps.items()},
                regions[known],
                tolerance=config.tolerance,
                resamples=config.resamples,
                seed=config.seed,
                centre=config.centre,
            )
        counts = {"images": len(known), "unknown": len(rows) - len(known)}
        both = ["pointing", "energy"]
        return told(explained, found["methods"], {name: name for name in both}, headlines=both, **counts, details=found)
