"""S, S+ and S- (Xu, Lu and Ebrahimi, "Discriminative Deep Feature Visualization for Explainable Face Recognition", 2023).

After global maximum pooling each component of an embedding is one location of one channel. That location is set to zero, the
original and the changed feature map are decoded, and the difference of the two images shows the region that the channel
represents (Algorithm 1). The regions are summed with weights: the channel's share of the cosine (equation 1) minus a threshold
T. H is the sum, S = abs(H), S+ = ReLU(H), S- = ReLU(-H).

The shares sum to the cosine, so a decision threshold T on the cosine becomes T / channels per channel; the algorithm as printed
subtracts T itself from every channel (``literal``). It also never restores the feature map in its loop, so that more and more
channels are zero (``cumulative``), while the text describes one channel at a time (``per_channel``).

A product near zero may mean that one image lacks a feature of the other, or that both lack it. After a ReLU most channels are
small for most faces; an equal share of T makes all of them dissimilar, and S- a sum of uninformative channels. ``energy``
(ours, not in the paper) subtracts T in proportion to (f1^2 + f2^2) / 2, the channel's mean share of the squared norms, which
sums to one: channels that are zero in both have no weight, and a channel is dissimilar if 2 f1 f2 < T (f1^2 + f2^2).

Few published networks end in maximum pooling. If the head is linear in the feature map (as Stylianou's closed form also
requires), the cosine is still a sum over channels, each the sum over its locations (``head: linear``; ours, not in the paper).
A channel's share then comes from many locations; the masked one is that with the largest contribution of the same sign as the
share. The head's bias, which does not depend on the image, belongs to no channel and is subtracted from T. On gmp both variants
agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from configs.component import Born
from modules.attribution import decoder_residuals
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.linear_heads import LinearHead
from modules.attribution.pair_utilities import (
    ThresholdConfig,
    check_embeddings,
    check_pairs,
    positive_and_negative,
    threshold_of,
)
from modules.attribution.progress import announced
from modules.heads.gmp import Gmp
from modules.shape_inference import Size


class ReconstructionConfig(ThresholdConfig):
    """Fields, in addition to those of ``ThresholdConfig``:
    subtract: subtracted from each channel's product: ``share``: T / channels; ``literal``: T itself; ``energy``: T times the
        mean of the channel's two squares, of embeddings of norm 1; for head ``max_pooled``
    masking: ``per_channel``: one channel is masked at a time; ``cumulative``: all channels up to it
    norm: of each channel's difference image, over its pixels: divided by its L2 norm, or scaled to [0, 1]
    head: how the cosine is divided among channels: ``max_pooled``, as in the paper, for head gmp only; ``linear``, for heads
        that are sums over locations (gap_bn, fc_bn, gdc, gmp, tokens, l2)
    """

    name: Literal["reconstruction"] = "reconstruction"
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
    """Channel weights and masked locations of one image of a pair.

    Attributes:
        weights: (C,) float64, the channel's share of the cosine minus its part of T; they sum to cosine - T, unless
            ``subtract`` is ``literal``
        cells: int64 (C,), row-major index of the location masked in each channel; None: its maximum
        bias: part of the cosine that belongs to no channel
    """

    weights: Tensor
    cells: Tensor | None = None
    bias: float = 0.0


class Reconstruction(PairExplainer[ReconstructionConfig]):
    """Costs 2 forward passes and 2 x channels decodings per pair; only changed parts are decoded if the decoder allows it."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S``, ``S+`` and ``S-``, (H, W) of the decoded image; S+ - S- = H.

        ``notes.dead_channels``: (left, right) per pair, channels whose masking does not change the image; they contribute 0.
        ``notes.bias``, with ``head: linear``: (left, right), the part of the cosine that belongs to no channel.

        Raises:
            Refused: codes ``no_decoder``, ``not_max_pooled``, ``not_linear_head``: no decoder, or an unsupported head;
                ``no_reference``: no T is given and there are no suitable reference pairs; ``zero_norm``, ``not_finite``.
        """
        check_pairs(left, right, size)
        if network.decoder is None:
            raise Refused("no_decoder", "the network has no decoder, so no face can be rebuilt from its features")
        divide = self._division(network.head)
        way = decoder_residuals.decode_of(network.decoder, self.config.masking, left.device)
        with torch.no_grad(), evaluating(network):
            threshold = threshold_of(self.config.threshold, network, reference, left)
            maps, cosines, dead, biases = [], [], [], []
            for pair in announced(list(zip(left, right, strict=True))):
                features = [network.features(image[None])[0] for image in pair]
                sides, cosine = divide(features, threshold)
                found = [
                    decoder_residuals.weighted(
                        network.decoder, one, side.weights, self.config.masking, self.config.norm, side.cells, way
                    )
                    for one, side in zip(features, sides, strict=True)
                ]
                maps.append(np.stack([total for total, _ in found]))
                dead.append([count for _, count in found])
                cosines.append(cosine)
                biases.append([side.bias for side in sides])
        total = np.stack(maps)
        notes = {"threshold": threshold, "dead_channels": dead, "decode": "full" if way == "full" else "incremental"}
        if self.config.head == "linear":
            notes["bias"] = biases
        found_maps = {"S": np.abs(total).astype(np.float32), **positive_and_negative(total)}
        last = list(network.backbone.stages())[-1]
        return PairAttribution(found_maps, np.array(cosines, np.float32), layer=last, notes=notes)

    def _division(self, head: Any) -> Callable[[list[Tensor], float], tuple[list[Side], float]]:
        """The function that computes both images' ``Side`` and the cosine from two feature maps and T."""
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
        """Returns (channel weights (C,) float64, cosine) of two feature maps (C, h, w); equation 1."""
        pooled = torch.stack([one.double().amax(dim=(1, 2)) for one in features])
        check_embeddings(pooled)
        first, second = pooled / pooled.norm(dim=1, keepdim=True)
        products = first * second
        energy = self.config.subtract == "energy"
        less = threshold * (first.square() + second.square()) / 2 if energy else self._less(threshold, len(products))
        return products - less, float(products.sum())

    def linear(self, head: LinearHead, features: list[Tensor], threshold: float) -> tuple[list[Side], float]:
        """Returns (left and right, cosine) of two feature maps (C, h, w). An image's shares and its bias sum to the cosine."""
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
