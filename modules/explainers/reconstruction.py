"""S, S+ and S- (Xu, Lu and Ebrahimi, "Discriminative Deep Feature Visualization for Explainable Face Recognition", 2023).

After global maximum pooling each number of an embedding is one cell of one channel. That cell is set to zero, both maps are
decoded, and the images' difference says which region the channel stands for (Algorithm 1). The regions are summed with weights:
the channel's share of the cosine (equation 1), less a threshold T. H is the sum, S = abs(H), S+ = ReLU(H), S- = ReLU(-H).

The shares sum to the cosine, so a decision threshold T on the cosine is T / channels for each of them; the algorithm as printed
subtracts T itself from every channel (``literal``). It also never restores the map in its loop, so that ever more channels are
zero (``cumulative``), while the text speaks of one channel at a time (``per_channel``).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.kinds import PairExplainerConfig
from modules import residuals
from modules.explainer import PairAttribution, PairExplainer, Reference, Refused
from modules.heads.gmp import Gmp
from modules.pairwise import check_embeddings, check_pairs, decision_threshold
from modules.watching import evaluating


class Config(PairExplainerConfig):
    """Fields:
    threshold: T; None: the cosine that decides best on the reference pairs
    subtract: ``share``: T / channels from each channel's product; ``literal``: T itself
    masking: ``per_channel``: one channel is masked at a time; ``cumulative``: all up to it
    norm: of each channel's difference image, over its pixels: divided by its L2 norm, or scaled to [0, 1]
    """

    name: Literal["reconstruction"] = "reconstruction"
    threshold: float | None = Field(default=None, ge=-1, le=1)
    subtract: Literal["share", "literal"] = "share"
    masking: Literal["per_channel", "cumulative"] = "per_channel"
    norm: Literal["l2", "min_max"] = "l2"

    def build(self) -> Reconstruction:
        return Reconstruction(self)


class Reconstruction(PairExplainer):
    """2 forward passes and 2 x channels decodes per pair, of which only what changes is computed where the decoder allows."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: int | tuple[int, int], reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S``, ``S+`` and ``S-``, (H, W) of the decoded image; S+ - S- = H.

        ``notes.dead_channels``: (left, right) of each pair, channels whose masking changes nothing: they add nothing.

        Raises:
            Refused: codes ``no_decoder``, ``not_max_pooled``: the network has no decoder, or another head than gmp;
                ``no_reference``: no T is given and no reference pairs tell; ``zero_norm``, ``not_finite``.
        """
        check_pairs(left, right, size)
        if network.decoder is None:
            raise Refused("no_decoder", "the network has no decoder, so no face can be rebuilt from its features")
        if not isinstance(network.head, Gmp):
            kind = type(network.head).__name__
            raise Refused("not_max_pooled", f"head {kind} mixes channels and cells; head gmp keeps one cell of each channel")
        with torch.no_grad(), evaluating(network):
            threshold = self.config.threshold
            if threshold is None:
                threshold = decision_threshold(network, reference, left, "give the cosine as threshold")
            maps, cosines, dead = [], [], []
            for pair in zip(left, right, strict=True):
                features = [network.features(image[None])[0] for image in pair]
                weights, cosine = self.weights(features, threshold)
                found = [
                    residuals.weighted(network.decoder, one, weights, self.config.masking, self.config.norm) for one in features
                ]
                maps.append(np.stack([total for total, _ in found]))
                dead.append([count for _, count in found])
                cosines.append(cosine)
        total = np.stack(maps)
        notes = {
            "threshold": threshold,
            "dead_channels": dead,
            "decode": "incremental" if residuals.applies(network.decoder) else "full",
        }
        found_maps = {"S": np.abs(total), "S+": np.maximum(total, 0), "S-": np.maximum(-total, 0)}
        return PairAttribution(
            {name: one.astype(np.float32) for name, one in found_maps.items()},
            np.array(cosines, np.float32),
            "cosine of the two images",
            layer=list(network.backbone.stages())[-1],
            notes=notes,
        )

    def weights(self, features: list[Tensor], threshold: float) -> tuple[Tensor, float]:
        """(weight of each channel (C,) float64, cosine) of two feature maps (C, h, w); equation 1."""
        pooled = torch.stack([one.double().amax(dim=(1, 2)) for one in features])
        check_embeddings(pooled)
        first, second = pooled / pooled.norm(dim=1, keepdim=True)
        products = first * second
        share = threshold if self.config.subtract == "literal" else threshold / len(products)
        return products - share, float(products.sum())
