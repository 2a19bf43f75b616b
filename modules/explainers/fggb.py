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
from pydantic import Field
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution.component_gradients import Norm, component_maps
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import check_pairs, cosine_shares, threshold_of
from modules.attribution.progress import announced


class FGGBConfig(PairExplainerConfig):
    """Fields:
    threshold: T; None: the best decision threshold on the reference pairs
    norm: of each component's gradient map, over its pixels: divided by its L2 norm, scaled to [0, 1], or none
    """

    name: Literal["fggb"] = "fggb"
    threshold: float | None = Field(default=None, ge=-1, le=1)
    norm: Norm = "l2"

    @property
    def difference_maps(self) -> frozenset[str]:
        return frozenset({"S-"})

    def passes(self, dimension: int) -> float:
        return float(dimension)

    def build(self) -> FGGB:
        return FGGB(self)


class FGGB(PairExplainer[FGGBConfig]):
    """Costs as many forward and backward passes per image as the embedding has components."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: int | tuple[int, int], reference: Reference | None = None
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
        total = np.stack(maps)
        return PairAttribution(
            {"S+": np.maximum(total, 0).astype(np.float32), "S-": np.maximum(-total, 0).astype(np.float32)},
            np.array(cosines, np.float32),
            "cosine of the two images",
            notes={"threshold": threshold, "zero_gradients": empty},
        )
