"""RISE (Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018).

The importance of a pixel is the mean score of the image when the pixel is kept (equation 3), estimated from N random masks M_i
(equation 6): S = 1 / (E[M] N) sum_i f(image * M_i) M_i. It uses neither layers nor gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from configs.explainers import ExplainerConfig
from modules.attribution.batch_size import batch_of
from modules.attribution.checks import as_array, check_images
from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.hooks import evaluating
from modules.attribution.perturbation import AlteredScores, check_probability
from modules.attribution.targets import Target
from modules.shape_inference import Size, shape_of


class RISEConfig(ExplainerConfig):
    """Masking multiplies the image in [-1, 1], so hidden pixels become mid-gray. All images get the same masks.

    Fields:
        masks: N; the paper uses 4,000 for VGG-16 and 8,000 for ResNet-50
        cells: a mask is a grid of ``cells`` x ``cells`` before it is upsampled and shifted
        keep: probability that a cell is kept; E[M] in the equation
        score: ``target`` is the logit or the cosine, ``probability`` the softmax probability of the class, as in the paper
        centered: subtract the scores' mean over the masks first. This shifts the map by a constant and removes the noise of the
            masks' mean, which exceeds the map if scores are far from 0. False: the equation as printed
        normalization: ``expected`` divides by N E[M], as in the equation; ``observed`` by the sum of the masks at each pixel
        seed: of the masks
        batch: masked images per forward pass; on a GPU, the default stands for as many as fit
    """

    name: Literal["rise"] = "rise"
    masks: int = Field(default=4000, ge=2)
    cells: int = Field(default=7, ge=1)
    keep: float = Field(default=0.5, gt=0, lt=1)
    score: Literal["target", "probability"] = "target"
    centered: bool = True
    normalization: Literal["expected", "observed"] = "expected"
    seed: int = Field(default=0, ge=0)
    batch: int = Field(default=32, ge=1)

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.masks

    def build(self) -> Rise:
        return Rise(self)


class Rise(Explainer[RISEConfig]):
    """Costs ``masks`` forward passes per image, in batches of the same shape, each of a single image."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``; maps have the size of the images.

        Raises:
            Refused: ``no_probability``: ``score`` is ``probability`` but the target is not a class; ``not_finite``: the score
                of a masked image is not finite.
        """
        check_images(images, target, size)
        check_probability(target, self.config.score == "probability")
        with torch.no_grad(), evaluating(network):
            maps = self.maps(network, images, target)
        notes = {"masks": self.config.masks, "score": self.config.score, "seed": self.config.seed}
        return Attribution(as_array(maps), "", shape_of(images), target.words, notes, signed=self.config.centered)

    def maps(self, network: Any, images: Tensor, target: Target) -> Tensor:
        """As ``explain``, float64 (N, H, W), of a network in evaluation mode."""
        config = self.config
        area = (int(images.shape[2]), int(images.shape[3]))
        weighted = torch.zeros((len(images), *area), dtype=torch.float64, device=images.device)  # sum of f M
        kept = torch.zeros(area, dtype=torch.float64, device=images.device)  # sum of M
        total = torch.zeros(len(images), dtype=torch.float64, device=images.device)  # sum of f
        batch = batch_of(config, images, config.masks)
        scores_of = [
            AlteredScores(network, target.take([number]), batch, images.device, config.score == "probability")
            for number in range(len(images))
        ]
        for block in mask_blocks(config.masks, config.cells, config.keep, area, config.seed, batch, images.device):
            masks = block.to(images)
            wide = masks[:, 0].double()
            kept += wide.sum(0)
            for number, image in enumerate(images):
                column = scores_of[number](image * masks)[:, 0].double()
                total[number] += column.sum()
                weighted[number] += (column[:, None, None] * wide).sum(0)
        for scores in scores_of:
            scores.check()
        if config.centered:
            weighted -= (total / config.masks)[:, None, None] * kept
        if config.normalization == "expected":
            return weighted / (config.masks * config.keep)
        return torch.where(kept > 0, weighted / torch.where(kept > 0, kept, 1), 0)  # 0 for a pixel that is never kept


def mask_blocks(
    count: int, cells: int, keep: float, size: tuple[int, int], seed: int, batch: int, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yields ``count`` masks (B, 1, H, W), float32 in [0, 1], at most ``batch`` at a time; independent of device and batch.

    A grid of ``cells`` x ``cells`` ones and zeros, one with probability ``keep``, is upsampled bilinearly to one cell more than
    the image in each direction and cropped at a random offset. A cell has ceil(H / cells) x ceil(W / cells) pixels.

    Args:
        count: N, the number of masks
        cells: cells along each side
        keep: probability of a one
        size: (H, W)
        seed: of the grids and the offsets
        batch: masks per yielded block
        device: where the masks are made; the grids and offsets are always drawn on the CPU
    """
    generator = np.random.default_rng(seed)
    high, wide = -(-size[0] // cells), -(-size[1] // cells)
    grids = torch.from_numpy((generator.random((count, 1, cells, cells)) < keep).astype(np.float32)).to(device)
    tops, lefts = (torch.from_numpy(generator.integers(0, side, count)).to(device) for side in (high, wide))
    rows, columns = (torch.arange(side, device=device) for side in size)
    for start in range(0, count, batch):
        enlarged = functional.interpolate(
            grids[start : start + batch], size=((cells + 1) * high, (cells + 1) * wide), mode="bilinear", align_corners=False
        )
        place = torch.arange(len(enlarged), device=device)[:, None]
        cut = enlarged[place, 0, tops[start : start + batch, None] + rows]  # (B, H, width of the enlarged grid)
        across = (lefts[start : start + batch, None] + columns)[:, None].expand(-1, size[0], -1)
        yield cut.gather(2, across)[:, None].clamp(0, 1)  # rounding in the interpolation may exceed [0, 1]
