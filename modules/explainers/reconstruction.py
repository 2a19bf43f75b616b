"""S, S+ and S- (Xu, Lu and Ebrahimi, "Discriminative Deep Feature Visualization for Explainable Face Recognition", 2023).

After global maximum pooling each number of an embedding is one cell of one channel. That cell is set to zero, both maps are
decoded, and the images' difference says which region the channel stands for (Algorithm 1). The regions are summed with weights:
the channel's share of the cosine (equation 1), less a threshold T. H is the sum, S = abs(H), S+ = ReLU(H), S- = ReLU(-H).

The shares sum to the cosine, so a decision threshold T on the cosine is T / channels for each of them; the algorithm as printed
subtracts T itself from every channel (``literal``). It also never restores the map in its loop, so that ever more channels are
zero (``cumulative``), while the text speaks of one channel at a time (``per_channel``).

A product near zero may mean that one image lacks what the other has, or that both lack it. After a ReLU most channels are small
in most faces; an equal part of T makes all of them dissimilar, and S- a sum of channels that say nothing. ``energy`` (ours, not
in the paper) takes T from each channel in proportion to (f1^2 + f2^2) / 2, its part of the squared lengths, which sums to one:
what both lack has no weight, and a channel is dissimilar where 2 f1 f2 < T (f1^2 + f2^2).

A published network seldom ends in a maximum. Where its head is linear in the map, as Stylianou's closed form asks too, the
cosine is still a sum over channels, each of which gives the sum over its cells (``head: linear``; ours, not in the paper). A
channel's share then comes from many cells, and the one masked is that to which it owes most: the largest contribution of the
share's own sign. What the head adds whatever the image is, its bias, belongs to no channel and is taken from T. On gmp both
readings agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from configs.component import Born
from configs.explainers import PairExplainerConfig
from modules.attribution import decoder_residuals
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.linear_heads import LinearHead
from modules.attribution.pair_utilities import check_embeddings, check_pairs, decision_threshold
from modules.heads.gmp import Gmp


class ReconstructionConfig(PairExplainerConfig):
    """Fields:
    threshold: T; None: the cosine that decides best on the reference pairs
    subtract: from each channel's product: ``share``: T / channels; ``literal``: T itself; ``energy``: T times the mean of the
        channel's two squares, of embeddings of length 1; for head ``max_pooled``
    masking: ``per_channel``: one channel is masked at a time; ``cumulative``: all up to it
    norm: of each channel's difference image, over its pixels: divided by its L2 norm, or scaled to [0, 1]
    head: how the cosine is divided among channels: ``max_pooled``, the paper's, for head gmp alone; ``linear``, for all heads
        that are sums over cells (gap_bn, fc_bn, gdc, gmp, l2)
    """

    name: Literal["reconstruction"] = "reconstruction"
    threshold: float | None = Field(default=None, ge=-1, le=1)
    subtract: Literal["share", "literal", "energy"] = "share"
    masking: Literal["per_channel", "cumulative"] = "per_channel"
    norm: Literal["l2", "min_max"] = "l2"
    head: Annotated[Literal["max_pooled", "linear"], Born("max_pooled")] = "max_pooled"

    @model_validator(mode="after")
    def _has_squares(self) -> Self:
        if self.subtract == "energy" and self.head == "linear":
            raise ValueError(
                "subtract: energy weighs a channel by its number in both embeddings, which only head: max_pooled gives it; "
                "with head: linear subtract share or literal"
            )
        return self

    def build(self) -> Reconstruction:
        return Reconstruction(self)


@dataclass(frozen=True, eq=False)
class Side:
    """How one image of a pair is divided.

    Attributes:
        weights: (C,) float64, of each channel: its share of the cosine less its part of T; they sum to cosine - T, unless
            ``subtract`` is ``literal``
        cells: int64 (C,), which cell of each channel is masked, counted along the rows; None: its maximum
        bias: what of the cosine no channel has
    """

    weights: Tensor
    cells: Tensor | None = None
    bias: float = 0.0


class Reconstruction(PairExplainer):
    """2 forward passes and 2 x channels decodes per pair, of which only what changes is computed where the decoder allows."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self.config = config

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: int | tuple[int, int], reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S``, ``S+`` and ``S-``, (H, W) of the decoded image; S+ - S- = H.

        ``notes.dead_channels``: (left, right) of each pair, channels whose masking changes nothing: they add nothing.
        ``notes.bias``, with ``head: linear``: (left, right), what of the cosine no channel has.

        Raises:
            Refused: codes ``no_decoder``, ``not_max_pooled``, ``not_linear_head``: the network has no decoder, or another head;
                ``no_reference``: no T is given and no reference pairs tell; ``zero_norm``, ``not_finite``.
        """
        check_pairs(left, right, size)
        if network.decoder is None:
            raise Refused("no_decoder", "the network has no decoder, so no face can be rebuilt from its features")
        divide = self._division(network.head)
        with torch.no_grad(), evaluating(network):
            threshold = self.config.threshold
            if threshold is None:
                threshold = decision_threshold(network, reference, left, "give the cosine as threshold")
            maps, cosines, dead, biases = [], [], [], []
            for pair in zip(left, right, strict=True):
                features = [network.features(image[None])[0] for image in pair]
                sides, cosine = divide(features, threshold)
                found = [
                    decoder_residuals.weighted(
                        network.decoder, one, side.weights, self.config.masking, self.config.norm, side.cells
                    )
                    for one, side in zip(features, sides, strict=True)
                ]
                maps.append(np.stack([total for total, _ in found]))
                dead.append([count for _, count in found])
                cosines.append(cosine)
                biases.append([side.bias for side in sides])
        total = np.stack(maps)
        notes = {
            "threshold": threshold,
            "dead_channels": dead,
            "decode": "incremental" if decoder_residuals.applies(network.decoder) else "full",
        }
        if self.config.head == "linear":
            notes["bias"] = biases
        found_maps = {"S": np.abs(total), "S+": np.maximum(total, 0), "S-": np.maximum(-total, 0)}
        return PairAttribution(
            {name: one.astype(np.float32) for name, one in found_maps.items()},
            np.array(cosines, np.float32),
            "cosine of the two images",
            layer=list(network.backbone.stages())[-1],
            notes=notes,
        )

    def _division(self, head: Any) -> Callable[[list[Tensor], float], tuple[list[Side], float]]:
        """How two feature maps and T give both images' parts and the cosine."""
        if self.config.head == "linear":
            linear = LinearHead(head)
            return lambda features, threshold: self.linear(linear, features, threshold)
        if not isinstance(head, Gmp):
            raise Refused(
                "not_max_pooled",
                f"head {type(head).__name__} mixes channels and cells; head gmp keeps one cell of each channel (head: linear "
                "divides the cosine of any head that is a sum over cells)",
            )

        def divide(features: list[Tensor], threshold: float) -> tuple[list[Side], float]:
            weights, cosine = self.weights(features, threshold)
            return [Side(weights)] * 2, cosine

        return divide

    def weights(self, features: list[Tensor], threshold: float) -> tuple[Tensor, float]:
        """(weight of each channel (C,) float64, cosine) of two feature maps (C, h, w); equation 1."""
        pooled = torch.stack([one.double().amax(dim=(1, 2)) for one in features])
        check_embeddings(pooled)
        first, second = pooled / pooled.norm(dim=1, keepdim=True)
        products = first * second
        energy = self.config.subtract == "energy"
        less = threshold * (first.square() + second.square()) / 2 if energy else self._less(threshold, len(products))
        return products - less, float(products.sum())

    def linear(self, head: LinearHead, features: list[Tensor], threshold: float) -> tuple[list[Side], float]:
        """(left and right, cosine) of two feature maps (C, h, w). An image's shares and its bias sum to the cosine."""
        wide = [one[None].double() for one in features]
        embeddings = torch.cat([head.embed(one) for one in wide])
        check_embeddings(embeddings)
        lengths = embeddings.norm(dim=1)
        cosine = float(embeddings[0] @ embeddings[1] / lengths.prod())
        sides = []
        for mine in (0, 1):
            shape = tuple(features[mine].shape)
            direction = embeddings[1 - mine : 2 - mine] / lengths.prod()
            parts = (head.values(wide[mine]) * head.pull(direction, shape))[0].flatten(1)  # type: ignore[arg-type]
            shares = parts.sum(1)
            bias = float(head.bias(shape, wide[mine]) @ direction[0])  # type: ignore[arg-type]
            cells = (parts * shares.sign()[:, None]).argmax(1)
            sides.append(Side(shares - self._less(threshold - bias, len(shares)), cells, bias))
        return sides, cosine

    def _less(self, threshold: float, channels: int) -> float:
        return threshold if self.config.subtract == "literal" else threshold / channels
