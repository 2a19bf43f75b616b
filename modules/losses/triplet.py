"""Triplet loss on the unit sphere (Schroff et al., "FaceNet", CVPR 2015, Eq. 3), with online and offline mining."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from configs.network_interfaces import LossConfig
from modules.layers.normalize import full_precision, unit, wide
from modules.training import mining
from modules.training.embedding_memory import Bank

_RULES = {
    "hard_negative": mining.hard_negative,
    "batch_hard": mining.batch_hard,
    "all": mining.every,
    "offline": mining.batch_hard,
}
_SEMI_HARD = {"all": mining.semi_hard, "random": mining.semi_hard_random, "hardest": mining.semi_hard_hardest}


class TripletConfig(LossConfig):
    """Mean of max(0, d_ap + margin - d_an) over triplets of an anchor, a positive and a negative; d is squared and Euclidean.

    Fields:
        mining: ``semi_hard``: d_ap < d_an < d_ap + margin; ``hard_negative``: all anchors and positives, the nearest negative;
            ``batch_hard``: farthest positive and nearest negative of each anchor; ``all``; ``offline``: as ``batch_hard``,
            from the batch and a subset of earlier images, embedded with earlier weights and refreshed every ``every`` steps
        negatives: for semi_hard: all negatives of an anchor and positive, a random one, or the hardest one
        mean_over: average over the mined triplets (for ``all``: every triplet of the batch), or over those with a loss above 0
        every: for offline, refresh interval in steps
        subset: for offline, number of images: the last ones before the refresh
    """

    name: Literal["triplet"] = "triplet"
    classifies: ClassVar[bool] = False
    margin: float = Field(default=0.2, gt=0, le=4)
    mining: Literal["semi_hard", "hard_negative", "batch_hard", "all", "offline"] = "semi_hard"
    negatives: Literal["all", "random", "hardest"] = "all"
    mean_over: Literal["valid", "active"] = "valid"
    every: int = Field(default=100, ge=1)
    subset: int = Field(default=4096, ge=1)

    @model_validator(mode="after")
    def _negatives_of_semi_hard(self) -> Self:
        if self.negatives != "all" and self.mining != "semi_hard":
            raise ValueError(f"negatives: {self.negatives} is a choice among semi-hard ones, and mining is {self.mining}")
        return self

    def needs(self) -> frozenset[str]:
        return frozenset({"pairs"})

    def build(self, dimension: int, classes: int) -> Triplet:
        return Triplet(dimension, self)


class Triplet(nn.Module):
    """Normalizes the embeddings. Triplets are not enumerated, see ``modules.training.mining``.

    Offline mining in FaceNet passes the three images of a triplet through the network. Here positives and negatives from the
    subset are constants: only the anchor gets a gradient from them. Before the first refresh only the batch is used.
    """

    def __init__(self, dimension: int, config: TripletConfig) -> None:
        super().__init__()
        self.config = config
        self.rule = _SEMI_HARD[config.negatives] if config.mining == "semi_hard" else _RULES[config.mining]
        self.bank = Bank(dimension, config.subset, config.every) if config.mining == "offline" else None
        self._most: int | None = None  # images of an identity in the batch that comes next

    def expect(self, labels: Tensor) -> None:
        """See ``configs.network_interfaces.ExpectingLoss``.

        Raises:
            ValueError: the batch has no two images of the same identity, or only one identity.
        """
        if self.bank is None:
            self._most = mining.check(labels)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in squared distance, float32 or wider.

        Raises:
            ValueError: the batch has no two images of the same identity, or only one identity.
        """
        with full_precision(embeddings):
            points = unit(wide(embeddings))
            bank = None
            if self.bank is not None and self.training:  # it has training images, which validation has not
                bank = self.bank.shown.to(points.dtype), self.bank.shown_labels
            most, self._most = self._most, None
            loss = mining.triplet_loss(points, labels, self.config.margin, self.rule, self.config.mean_over, bank, most)
            if self.bank is not None and self.training:
                self.bank.add(points, labels)
            return loss
