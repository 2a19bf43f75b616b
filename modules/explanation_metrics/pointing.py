"""The pointing game and the energy inside the true region of difference or similarity: see ``modules.metrics.pointing``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from configs.component import Born
from configs.explainers import ScoreConfig
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained
from modules.attribution.metric_utilities import finite, score_result
from modules.metrics.pointing import pointing


class PointingConfig(ScoreConfig):
    """Fields:
    tolerance: maximum distance of the map's maximum from the region, in pixels of the crop
    seed: of the bootstrap and of the random baseline
    resamples: number of bootstrap resamples over images
    center: standard deviation of the center baseline, in image heights and widths
    side: which images of a pair count; in protocols with an occluder, ``right`` is the face that wears it
    truth: the region where the two images truly differ, for maps of differences; or, for maps of similarity, the region where
        the images of two subjects show the same
    """

    name: Literal["pointing"] = "pointing"
    tolerance: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=1)
    center: float = Field(default=0.25, gt=0)
    side: Annotated[Literal["both", "left", "right"], Born("both")] = "both"
    truth: Annotated[Literal["difference", "similarity"], Born("difference")] = "difference"

    def build(self) -> Pointing:
        return Pointing(self)


class Pointing:
    """Numbers: ``pointing``, the fraction of images whose maximum lies in the region; ``energy``, the share of the map in it.

    For pairs, only images whose region is known and inside the crop count; signed maps are used with their values.
    """

    def __init__(self, config: PointingConfig) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``; ``images`` is the number of evaluated images, ``unknown`` the number without a region in the crop.

        Raises:
            Refused: ``no_region``: the true region is not known; ``no_sides``: single images have no sides.
        """
        common = self.config.truth == "similarity"
        regions = explained.common_regions if common else explained.regions
        if regions is None:
            what = f"where the two images of a pair truly {'show the same' if common else 'differ'}"
            what = what if explained.same is not None else "what a single image shows"
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
                center=config.center,
            )
        counts = {"images": len(known), "unknown": len(rows) - len(known)}
        both = ["pointing", "energy"]
        numbers = {name: name for name in both}
        each = ("images", known)
        return score_result(explained, found["methods"], numbers, each=each, headlines=both, **counts, details=found)
