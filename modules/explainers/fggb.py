"""FGGB (Lu, Xu, Ebrahimi: "Explainable Face Verification via Feature-Guided Gradient Backpropagation", arXiv 2403.04549, 2024).

Each component k of an image's embedding is propagated back to the pixels by itself: G_k = d f_k / d image, normalized. The maps
are summed with the component's share of the cosine, minus its part of the decision threshold T:
S = sum over k of G_k (f1_k f2_k / (|f1| |f2|) - T / D). S+ = ReLU(S), S- = ReLU(-S).

How colors are joined and which norm is meant are this project's choices: the mean of the absolute values, and the L2 norm of
``reconstruction``, an earlier method of the same group.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from modules.attribution.batch_size import batch_size
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import ThresholdConfig, check_pairs, cosine_shares, positive_and_negative, threshold_of
from modules.attribution.progress import announced
from modules.shape_inference import Size

BATCH = 32  # on a CPU. A batch holds copies of one image only, so that no map depends on other images

Norm = Literal["l2", "min_max", "none"]


class FGGBConfig(ThresholdConfig):
    """Fields, in addition to those of ``ThresholdConfig``:
    norm: of each component's gradient map, over its pixels: divided by its L2 norm, scaled to [0, 1], or none
    """

    name: Literal["fggb"] = "fggb"
    norm: Norm = "l2"

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return float(dimension)

    def build(self) -> FGGB:
        return FGGB(self)


class FGGB(PairExplainer[FGGBConfig]):
    """Costs as many forward and backward passes per image as the embedding has components."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S+`` and ``S-``, (H, W).

        ``notes.zero_gradients``: (left, right) per pair, components whose gradient is zero everywhere.

        Raises:
            Refused: codes ``no_reference``: no T is given and there are no suitable reference pairs; ``zero_norm``,
                ``not_finite``.
        """
        check_pairs(left, right, size)
        maps, cosines, empty = [], [], []
        with torch.inference_mode(False), torch.no_grad(), evaluating(network):
            threshold = threshold_of(self.config.threshold, network, reference, left)
            for pair in announced(list(zip(left, right, strict=True))):
                shares = cosine_shares(network, *pair)
                weights = shares - threshold / len(shares)
                found = [component_maps(network, image, weights, self.config.norm) for image in pair]
                maps.append(torch.stack([one for one, _ in found]).cpu().numpy())
                empty.append([count for _, count in found])
                cosines.append(float(shares.sum()))
        notes = {"threshold": threshold, "zero_gradients": empty}
        return PairAttribution(positive_and_negative(np.stack(maps)), np.array(cosines, np.float32), notes=notes)


def component_maps(network: Any, image: Tensor, weights: Tensor, norm: Norm) -> tuple[Tensor, int]:
    """Weighted sum of the gradient maps of all components, and how many of these maps are zero everywhere.

    The map of component k is the mean over the colors of abs(d f_k / d image), normalized. The network is in evaluation mode,
    so that images in a batch do not influence each other.

    Args:
        image: (3, H, W)
        weights: (D,) float64
        norm: of each map, over its pixels: divided by its L2 norm, scaled to [0, 1], or left as it is

    Returns:
        (H, W) float64.
    """
    count = len(weights)
    total = torch.zeros(image.shape[1:], dtype=torch.float64, device=image.device)
    empty = 0
    batch = batch_size(BATCH, image, count)
    for start in range(0, count, batch):
        places = torch.arange(start, start + batch, device=image.device).clamp(max=count - 1)  # the last batch is padded
        with torch.enable_grad():
            leaf = image.detach().expand(batch, -1, -1, -1).clone().requires_grad_()
            components = network.embed(leaf.clone())  # a leaf must not be modified in place
            (found,) = torch.autograd.grad(components.gather(1, places[:, None]).sum(), leaf)
        maps = found.abs().mean(1).double()[: count - start]
        empty += int((maps.amax((1, 2)) == 0).sum())
        for weight, one in zip(weights[start : start + batch], normalized(maps, norm), strict=True):
            total += weight * one  # one by one, so that the sum does not depend on the batch
    return total, empty


def normalized(maps: Tensor, norm: Norm) -> Tensor:
    """Each of the maps (N, H, W), normalized; zero where it is constant, for ``min_max``, or zero everywhere."""
    if norm == "none":
        return maps
    low = maps.amin((1, 2), keepdim=True) if norm == "min_max" else torch.zeros_like(maps[:, :1, :1])
    span = maps.amax((1, 2), keepdim=True) - low if norm == "min_max" else maps.square().sum((1, 2), keepdim=True).sqrt()
    return torch.where(span > 0, (maps - low) / torch.where(span > 0, span, torch.ones_like(span)), torch.zeros_like(maps))
