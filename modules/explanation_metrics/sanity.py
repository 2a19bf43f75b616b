"""Sanity checks (Adebayo et al., NeurIPS 2018): see ``modules.attribution.sanity_checks``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from configs.explainers import ScoreConfig
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained
from modules.attribution.sanity_checks import check_images, check_pairs


class SanityConfig(ScoreConfig):
    """Fields:
    seed: of all random numbers
    depths: number of cascade points, the last being the whole network; also the number of layers reinitialized independently
    limit: a mean abs(rho) above it is flagged
    most: maximum number of images (a pair counts as two); the method runs about 2 x ``depths`` + 3 times on them
    """

    name: Literal["sanity"] = "sanity"
    seed: int = Field(default=0, ge=0)
    depths: int = Field(default=3, ge=1)
    limit: float = Field(default=0.95, gt=0, le=1)
    most: int = Field(default=16, ge=4)

    def build(self) -> Sanity:
        return Sanity(self)


class Sanity:
    """Numbers: mean abs(rho) between the maps and those of a reinitialized network (``parameters``), or those of another target
    (``target``); lower is better. Flags: ``parameter-insensitive``, ``target-insensitive``, ``undetermined``.
    """

    def __init__(self, config: SanityConfig) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``. Recomputes the maps.

        Raises:
            Refused: ``no_swap``: a single pair; or any code raised by the method.
        """
        pairs = explained.same is not None
        count = len(explained.images)
        if explained.target is None:
            chosen = self._some_pairs(explained)
            found, count = self._of_pairs(explained, chosen), len(chosen)
        else:
            rows = np.arange(min(count, self.config.most))
            if pairs:
                # All left images, then all right ones: a swap gives each image the next one's reference, which would otherwise
                # be the image itself.
                rows = (2 * self._some_pairs(explained)[None] + np.array([[0], [1]])).reshape(-1)
            images, target = explained.images[torch.from_numpy(rows)], explained.target.take(rows.tolist())
            found = check_images(explained.explainer.build(), explained.network, images, target, explained.size, self.config)
            count = len(rows) // 2 if pairs else len(rows)
        return {
            "of": "pairs" if pairs else "images",
            "count": count,
            "missing": len(explained.missing),
            "maps": {name: _numbers(found, name) for name in explained.maps},
            "headlines": [],
            "lower_is_better": ["parameters", "target"],
            "flags": found["flags"],
            "details": found,
        }

    def _some_pairs(self, explained: Explained) -> np.ndarray:
        """Pairs with maps, alternating genuine and impostor as far as possible; two or more, else raises as ``score``."""
        assert explained.same is not None
        pairs = explained.pairs
        if len(pairs) < 2:
            raise Refused("no_swap", "a pair's other image can be swapped where there are two pairs, and one alone has maps")
        kinds = [pairs[explained.same[pairs] == kind] for kind in (True, False)]
        order = sorted((place, kind, int(pair)) for kind, some in enumerate(kinds) for place, pair in enumerate(some))
        return np.sort(np.array([pair for _, _, pair in order[: self.config.most // 2]], np.int64))

    def _of_pairs(self, explained: Explained, chosen: np.ndarray) -> dict[str, Any]:
        assert explained.same is not None
        explainer = explained.explainer.build()
        more = {"same": torch.from_numpy(explained.same[chosen])} if explainer.asks else {}
        left, right = (explained.images[torch.from_numpy(2 * chosen + side)] for side in (0, 1))
        return check_pairs(
            explainer, explained.network, left, right, explained.size, explained.reference, settings=self.config, **more
        )


def _numbers(found: dict[str, Any], name: str) -> dict[str, Any]:
    parts = {"parameters": found["cascading"][-1], "target": found["target_swap"]}
    means = {part: looked.get("rho", {}).get(name, {}).get("mean") for part, looked in parts.items()}
    return {part: {"value": mean, "low": None, "high": None} for part, mean in means.items() if mean is not None}
