"""Pairwise occlusion (Zhong and Deng, "Deep Difference Analysis in Similar-looking Face recognition", ICPR 2018, Algorithm 1).

The same square is hidden in both images of a pair, and Delta is the change of their distance. The paper calls the cosine a
distance, yet interprets a large Delta as "these regions differ". Both hold only for D = 1 - cosine, which is the default here:
Delta = D(unaltered) - D(hidden), so a positive Delta means that the region makes the two images dissimilar. ``similarity`` is
the other interpretation, D = cosine: a positive Delta means that the region makes them similar.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution import theta
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import Fill, check_pairs, color, cosine, embed_many, kinds
from modules.attribution.patches import count, places, spread
from modules.attribution.progress import announced
from modules.shape_inference import Size


class PairOcclusionConfig(PairExplainerConfig):
    """Fields:
    patch: side of the hidden square in pixels; the paper's k
    stride: pixels from one square to the next, at most ``patch``
    fill: color of the square: ``mean`` of the protocol's images (the paper), ``black``, ``gray``, or a color in [-1, 1]
    sign: meaning of a positive Delta: the region makes the two images dissimilar, or similar
    """

    name: Literal["pair_occlusion"] = "pair_occlusion"
    patch: int = Field(default=16, ge=1)
    stride: int = Field(default=8, ge=1)
    fill: Fill = "mean"
    sign: Literal["difference", "similarity"] = "difference"

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if self.stride > self.patch:
            raise ValueError(
                f"stride {self.stride} is larger than patch {self.patch}: pixels between the patches would be missed"
            )
        return self

    @property
    def difference_maps(self) -> frozenset[str]:
        return frozenset({"delta", "normalized"}) if self.sign == "difference" else frozenset()

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return count(size, self.patch, self.stride) + 1

    def build(self) -> PairOcclusion:
        return PairOcclusion(self)


ROUNDING = 8 * float(np.finfo(np.float64).eps)  # of a cosine
Evaluated = tuple[float, dict[str, Any]]  # Theta and its record


class PairOcclusion(PairExplainer):
    """Costs 2 x (patches + 1) forward passes per pair, and the same per reference pair unless Theta is ``known``."""

    def __init__(self, config: PairOcclusionConfig, known: Evaluated | None = None) -> None:
        self.config = config
        self.known = known

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``delta``, raw, and ``normalized``, equation 1 with Theta of the reference pairs; the same for both images.

        Without both genuine and impostor reference pairs, or if Theta is not above 0, there is only ``delta`` and
        ``notes.unnormalized`` gives the reason. ``notes.theta`` holds the result of ``modules.attribution.theta``, the maxima
        of the reference pairs and the paper's histograms.

        Raises:
            Refused: codes ``no_reference`` (``fill`` mean without one), ``patch_too_large``, ``zero_norm``, ``not_finite``.
        """
        shape = check_pairs(left, right, size)
        fill = color(self.config.fill, reference, left)
        with torch.no_grad(), evaluating(network):
            found = [self.delta(network, *pair, fill) for pair in announced(list(zip(left, right, strict=True)))]
            evaluated = self.known or self.evaluated(network, reference, fill)
        deltas = np.stack([delta for delta, _ in found])
        maps = {"delta": deltas}
        rows, columns = (places(side, self.config.patch, self.config.stride) for side in shape)
        notes: dict[str, Any] = {
            "sign": self.config.sign,
            "fill": [round(float(value), 6) for value in fill.flatten()],
            "patches": len(rows) * len(columns),
            "theta": None,
        }
        if evaluated is None:
            notes["unnormalized"] = "there are no reference pairs of both kinds"
        else:
            threshold, notes["theta"] = evaluated
            if threshold > 0:
                maps["normalized"] = theta.normalized(deltas, threshold)
            else:
                notes["unnormalized"] = f"Theta is {threshold:g}, and nothing can be divided by that"
        both = {name: np.repeat(one[:, None], 2, axis=1).astype(np.float32) for name, one in maps.items()}
        cosines = np.array([value for _, value in found], np.float32)
        return PairAttribution(both, cosines, notes=notes, signed=frozenset({"delta"}))

    def tuned(self, network: Any, images: Tensor, size: Size, reference: Reference | None = None) -> PairOcclusion:
        """The method with Theta fixed for this network. Theta is only a scale, but takes most of the time."""
        check_pairs(images, images, size)
        with torch.no_grad(), evaluating(network):
            return PairOcclusion(self.config, self.evaluated(network, reference, color(self.config.fill, reference, images)))

    def evaluated(self, network: Any, reference: Reference | None, fill: Tensor) -> Evaluated | None:
        """Theta of a network in evaluation mode; None without both genuine and impostor reference pairs."""
        same = kinds(reference)
        if reference is None or same is None:
            return None
        pairs = zip(reference.left.to(fill), reference.right.to(fill), strict=True)
        return self.evaluate(np.stack([self.delta(network, *pair, fill)[0] for pair in pairs]), same)

    def delta(self, network: Any, left: Tensor, right: Tensor, fill: Tensor) -> tuple[np.ndarray, float]:
        """Returns (Delta (H, W) float64, cosine) of two images (3, H, W), not normalized; the network is in evaluation mode."""
        patch = self.config.patch
        shape = (left.shape[1], left.shape[2])
        rows, columns = (places(side, patch, self.config.stride) for side in shape)
        down, across = (
            torch.tensor([[first <= place < first + patch for place in range(side)] for first in firsts], device=left.device)
            for firsts, side in ((rows, shape[0]), (columns, shape[1]))
        )  # bool (rows, H) and (columns, W)

        def hidden(image: Tensor) -> Tensor:
            def make(wanted: range) -> Tensor:
                index = torch.arange(wanted.start - 1, wanted.stop - 1, device=image.device)  # -1 is the unaltered image
                square = down[index // len(columns), :, None] & across[index % len(columns), None]
                return torch.where((square & (index >= 0)[:, None, None])[:, None], fill, image)

            return embed_many(network, len(rows) * len(columns) + 1, make, image)

        cosines = cosine(hidden(left), hidden(right)).cpu().numpy()
        change = cosines[1:] - cosines[0]
        change[np.abs(change) <= ROUNDING] = 0  # rounding errors, e.g. of two equal images
        if self.config.sign == "similarity":
            change = -change
        return spread(change.reshape(len(rows), len(columns)), rows, columns, patch, shape), float(cosines[0])

    def evaluate(self, deltas: np.ndarray, same: np.ndarray) -> Evaluated:
        """Returns (Theta, its record) from Delta (M, H, W) of the reference pairs."""
        maxima = deltas.max((1, 2))
        found = theta.find(maxima, same, "impostor" if self.config.sign == "difference" else "genuine")
        kind = {"genuine": same, "impostor": ~same}
        return found.value, {
            **asdict(found),
            "maxima": {name: [float(value) for value in maxima[rows]] for name, rows in kind.items()},
            "bin": theta.BIN,
            "histogram": {name: theta.histogram(deltas[rows]) for name, rows in kind.items()},
        }
