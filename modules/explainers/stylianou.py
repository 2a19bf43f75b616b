"""Stylianou, Souvenir and Pless ("Visualizing Deep Similarity Networks", WACV 2019): where in each image the similarity comes
from.

The cosine of two pooled feature maps is a sum over the cells of either map: with A1 and A2 the maps and HW cells,
A1 . mean(A2) / (HW |mean(A1)| |mean(A2)|). Whatever is linear after the pooling (normalisation, a fully connected layer) is
pushed through exactly, and what it adds regardless of the image, its bias, is reported apart: map and bias sum to the cosine.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution.all_pairs import Cached, cache, stylianou
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.linear_heads import LinearHead
from modules.attribution.pair_utilities import check_pairs


class StylianouConfig(PairExplainerConfig):
    """For heads that sum over cells: gap_bn, fc_bn, gdc, l2 (average, flatten); of gmp, channels count where they peak."""

    name: Literal["stylianou"] = "stylianou"

    def build(self) -> Stylianou:
        return Stylianou(self)


class Stylianou(PairExplainer):
    """2 forward passes per pair; after the feature map everything is in float64."""

    def __init__(self, config: StylianouConfig) -> None:
        self.config = config

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: int | tuple[int, int], reference: Reference | None = None
    ) -> PairAttribution:
        """Map ``similarity``, at the resolution of the feature map; ``notes.bias`` holds each image's share of no cell.

        Raises:
            Refused: codes ``not_linear_head``, ``zero_norm``, ``not_finite``.
        """
        check_pairs(left, right, size)
        head = LinearHead(network.head)
        sides = [cache(network, left), cache(network, right)]
        maps, biases, cosines = [], [], []
        for pair in range(len(left)):
            one, other = (Cached(side.features[pair : pair + 1], side.embeddings[pair : pair + 1]) for side in sides)
            found = [stylianou(head, one, other), stylianou(head, other, one)]
            maps.append(torch.stack([part[0][0, 0] for part in found]))
            biases.append([float(part[1][0, 0]) for part in found])
            cosines.append(float(found[0][2][0, 0]))
        names = network.backbone.stages()
        raw = torch.stack(maps).cpu().numpy().astype(np.float32)
        return PairAttribution(
            {"similarity": raw},
            np.array(cosines, np.float32),
            "cosine of the two images",
            layer=list(names)[-1],
            notes={"bias": biases, "cells": "where each channel peaks" if head.selects else "all"},
            signed=frozenset({"similarity"}),
        )
