"""FAME (Zhang, Günther: "FAME: Feature Activation Map Explanation on Image Classification and Face Recognition", arXiv
2605.12017, 2026).

The image is moved step by step down the gradient of a score, each step as long as ``step`` in the pixel that moves most
(equation 3, the attack LOTS of Rozsa et al., IJCB 2017). The map is where its gray values changed, blurred and scaled to [0, 1]
(equation 4). The cosine of a pair gives e_+, the evidence for a match, and the distance e_- (equation 6); the logit of a class
gives the explanation of a classification.

Where the paper leaves it open, this follows its authors' code: gray values are taken before the difference, the norm of the
embedding is differentiated, the blur ends at three standard deviations, and moved pixels may leave the range of an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.checks import check_finite, check_scores
from modules.attribution.pixel_maps import PixelExplainer, unchecked_gradients
from modules.attribution.targets import Cosine, Target

LEVEL = 2 / 255  # a gray level, in the range [-1, 1] of the images
GRAY = (0.2989, 0.587, 0.114)  # weights of red, green and blue


class FAMEConfig(ExplainerConfig):
    """Applies to every network that can be differentiated.

    Fields:
        steps: the paper's maps take 500; those of 75 to 200 look alike, as its supplement says
        step: largest change of a pixel in one step, in gray levels of 0 to 255
        blur: standard deviation of the Gaussian, in pixels; 0: none. The paper's images of faces have 112 x 112 pixels
    """

    name: Literal["fame"] = "fame"
    steps: int = Field(default=500, ge=1)
    step: float = Field(default=1.0, gt=0)
    blur: float = Field(default=7.7, ge=0)

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.steps + 1

    def build(self) -> FAME:
        return FAME(self)


class FAME(PixelExplainer[FAMEConfig]):
    """Costs ``steps`` forward and backward passes per image. Notes: ``score_before`` and ``score_after`` the steps."""

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W), from 0 to 1; zero everywhere if the score has no gradient.

        Raises:
            Refused: code ``not_finite``: a score or its gradient is NaN or infinite.
        """
        lowered = replace(target, detach_norm=False) if isinstance(target, Cosine) else target
        moved, seen, finite = image, list[list[Tensor]](), []
        for _ in range(self.config.steps):
            *scored, gradient = unchecked_gradients(network, moved, lowered)
            seen.append(scored)
            finite.append(torch.isfinite(gradient).all())
            moved = moved - self.config.step * LEVEL * gradient / gradient.abs().max().clamp(min=torch.finfo(image.dtype).tiny)
        score, embedding = seen[0]
        check_scores(score, embedding, target)  # only now, so that the CPU does not wait for a GPU at each step
        check_finite(torch.stack(finite), target)
        weights = torch.tensor(GRAY, dtype=torch.float64, device=image.device).view(3, 1, 1)
        change = ((moved[0].double() * weights).sum(0) - (image[0].double() * weights).sum(0)).abs()
        after = lowered.scores(network, network.embed(moved))
        return scaled(blurred(change, self.config.blur)), {"score_before": float(score), "score_after": float(after)}


def blurred(change: Tensor, deviation: float) -> Tensor:
    """(H, W) after a Gaussian of that standard deviation in pixels, mirrored at the edges without repeating them."""
    if deviation == 0:
        return change
    from scipy.ndimage import gaussian_filter

    found: np.ndarray = gaussian_filter(change.cpu().numpy(), deviation, mode="mirror", radius=ceil(3 * deviation))
    return torch.from_numpy(found).to(change)


def scaled(change: Tensor) -> Tensor:
    """(H, W) from 0 to 1; zero if it is constant."""
    span = change.max() - change.min()
    return torch.where(span > 0, (change - change.min()) / span.clamp(min=torch.finfo(change.dtype).tiny), 0.0)
