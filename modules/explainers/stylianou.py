"""Cosine split over locations (Stylianou, Souvenir and Pless, "Visualizing Deep Similarity Networks", WACV 2019).

The cosine of two pooled feature maps is a sum over the locations of either map: with maps A1 and A2 and HW locations,
A1 . mean(A2) / (HW |mean(A1)| |mean(A2)|). Linear operations after the pooling (normalization, a fully connected layer) are
handled exactly, and their bias, which does not depend on the image, is reported separately: map and bias sum to the cosine.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution.all_pairs import Cached, cache, stylianou
from modules.attribution.checks import as_array
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.linear_heads import LinearHead
from modules.attribution.pair_utilities import check_pairs
from modules.shape_inference import Size


class StylianouConfig(PairExplainerConfig):
    """For heads that sum over locations: gap_bn, fc_bn, gdc, l2 (average, flatten); gmp: channels count at their maximum."""

    name: Literal["stylianou"] = "stylianou"

    def build(self) -> Stylianou:
        return Stylianou(self)


class Stylianou(PairExplainer[StylianouConfig]):
    """Costs 2 forward passes per pair; everything after the feature map is computed in float64."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Map ``similarity``, at the resolution of the feature map; ``notes.bias`` holds the part that belongs to no location.

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
        return PairAttribution(
            {"similarity": as_array(torch.stack(maps))},
            np.array(cosines, np.float32),
            layer=list(network.backbone.stages())[-1],
            notes={"bias": biases, "cells": "where each channel peaks" if head.selects else "all"},
            signed=frozenset({"similarity"}),
        )
