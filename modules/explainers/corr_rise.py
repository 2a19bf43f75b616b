"""CorrRISE (Lu, Xu and Ebrahimi, "Towards Visual Saliency Explanations of Face Verification", WACV 2024).

Random squares of an image are hidden, and the cosine with the other image is recorded. A pixel's value is the rank correlation,
over all masks, between that cosine and whether the pixel was visible: positive (S+) where the pixel makes the two images
similar, negative (S-) where it makes them dissimilar.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import (
    Fill,
    check_pairs,
    color,
    cosine,
    embed_many,
    embed_rows,
    positive_and_negative,
)  # fmt: skip
from modules.attribution.progress import announced
from modules.metrics.ranking import Binary
from modules.shape_inference import Size


class CorrRISEConfig(PairExplainerConfig):
    """Fields:
    masks: number of masks; the same masks for every image
    squares: hidden squares per mask
    side: of a square, in pixels
    other: the other image is ``whole``, or ``masked`` with the same mask, which gives both images of a pair the same map
    fill: color of hidden pixels
    seed: of the masks
    """

    name: Literal["corr_rise"] = "corr_rise"
    masks: int = Field(default=500, ge=2)
    squares: int = Field(default=3, ge=1)
    side: int = Field(default=30, ge=1)
    other: Literal["whole", "masked"] = "whole"
    fill: Fill = "black"
    seed: int = Field(default=0, ge=0)

    @property
    def difference_maps(self) -> frozenset[str]:
        return frozenset({"S-"})

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.masks + 1

    def build(self) -> CorrRise:
        return CorrRise(self)


class CorrRise(PairExplainer[CorrRISEConfig]):
    """Costs 2 x masks + 2 forward passes per pair."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S+`` and ``S-``, with values from 0 to 1; their difference is the correlation.

        ``notes.undefined_pixels``: pixels hidden by no mask or by all; ``notes.constant_scores``: (pair, image) for which every
        mask gives the same cosine. The correlation is undefined there, and the maps are 0.

        Raises:
            Refused: codes ``no_reference`` (``fill`` mean without one), ``square_too_large``, ``zero_norm``, ``not_finite``.
        """
        shape = check_pairs(left, right, size)
        seen = self.draw(shape, left.device)
        fill = color(self.config.fill, reference, left)
        flat = seen.flatten(1).cpu().numpy()
        columns = Binary(flat)
        correlations = np.zeros((len(left), 2, *shape))
        constant = []
        with torch.no_grad(), evaluating(network):
            found = [self.scores(network, *both, seen, fill) for both in announced(list(zip(left, right, strict=True)))]
            cosines, scores = (torch.stack(part).cpu().numpy() for part in zip(*found, strict=True))
        for pair, side in np.ndindex(len(left), 2):
            if np.ptp(scores[pair, side]) <= 8 * torch.finfo(left.dtype).eps:  # their order would only reflect rounding
                constant.append([pair, side])
                continue
            correlations[pair, side] = columns.spearman(scores[pair, side]).reshape(shape)
        ones = flat.sum(0)
        notes = {
            "undefined_pixels": int(((ones == 0) | (ones == len(flat))).sum()),
            "constant_scores": constant,
            "fill": [round(float(value), 6) for value in fill.flatten()],
        }
        return PairAttribution(positive_and_negative(correlations), cosines.astype(np.float32), notes=notes)

    def draw(self, shape: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
        """Masks, bool (masks, H, W), True where a pixel is visible; they depend only on the config and the shape.

        The places of the squares are drawn on the CPU, and the masks made on ``device``.
        """
        side = self.config.side
        if side > min(shape):
            why = f"a square of {side} pixels does not fit into {shape[0]} x {shape[1]}; make side smaller"
            raise Refused("square_too_large", why)
        generator = np.random.Generator(np.random.PCG64(self.config.seed))
        count = (self.config.masks, self.config.squares)
        starts = [torch.from_numpy(generator.integers(0, length - side + 1, count))[..., None].to(device) for length in shape]
        places = [torch.arange(length, device=device) for length in shape]
        down, across = (  # bool (masks, squares, H) and (masks, squares, W)
            (start <= place) & (place < start + side) for start, place in zip(starts, places, strict=True)
        )
        hidden = torch.zeros((self.config.masks, *shape), dtype=torch.bool, device=device)
        for square in range(self.config.squares):
            hidden |= down[:, square, :, None] & across[:, square, None]
        return ~hidden

    def scores(self, network: Any, left: Tensor, right: Tensor, shown: Tensor, fill: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine () of two images (3, H, W), and (2, masks) with the left or the right one masked; float64, on the device."""
        whole = [embed_rows(network, image[None], 1) for image in (left, right)]
        hidden = [self.embeddings(network, image, shown, fill) for image in (left, right)]
        others = whole if self.config.other == "whole" else hidden
        return cosine(*whole)[0], torch.stack([cosine(hidden[side], others[1 - side]) for side in (0, 1)])

    def embeddings(self, network: Any, image: Tensor, shown: Tensor, fill: Tensor) -> Tensor:
        """Embeddings (masks, D) float64 of an image (3, H, W) under each mask; the network is in evaluation mode."""

        def make(rows: range) -> Tensor:
            return torch.where(shown[rows.start : rows.stop, None], image, fill)

        return embed_many(network, len(shown), make, image)
