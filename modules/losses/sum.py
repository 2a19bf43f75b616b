"""A weighted sum of losses, such as softmax + 0.008 center (Wen et al., ECCV 2016, Eq. 5)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny
from torch import Tensor, nn

from configs.component import Config as Part
from configs.interfaces import LossConfig, PreparedLoss
from configs.lookup import resolve


class Term(Part):
    """One loss and its weight; at weight 0 it is computed (centers move) and has no gradient."""

    weight: float = Field(default=1.0, ge=0)
    loss: Annotated[SerializeAsAny[LossConfig], BeforeValidator(partial(resolve, "loss"))]


class SumConfig(LossConfig):
    """The terms in order; the first that has a classifier gives the logits. In a grid file, short: a + 0.5 b."""

    name: Literal["sum"] = "sum"
    terms: tuple[Term, ...] = Field(min_length=1)

    @property
    def classifies(self) -> bool:  # type: ignore[override]
        """Whether any term does."""
        return any(term.loss.classifies for term in self.terms)

    def needs(self) -> frozenset[str]:
        """What any term needs."""
        return frozenset().union(*(term.loss.needs() for term in self.terms))

    def build(self, dimension: int, classes: int) -> Sum:
        return Sum(dimension, classes, self)


class Sum(nn.Module):
    """Modules ``terms.0``, ``terms.1``, ...; all see the same embeddings."""

    def __init__(self, dimension: int, classes: int, config: SumConfig) -> None:
        super().__init__()
        self.terms = nn.ModuleList(term.loss.build(dimension, classes) for term in config.terms)
        self.weights = tuple(term.weight for term in config.terms)
        self.classifier = next((number for number, term in enumerate(config.terms) if term.loss.classifies), None)

    def prepare(self, counts: Tensor) -> None:
        """Training images of each class, int64 (classes,), for the terms that want them."""
        for term in self.terms:
            if isinstance(term, PreparedLoss):
                term.prepare(counts)

    def logits(self, embeddings: Tensor) -> Tensor:
        """(N, dimension) to (N, classes), by the first term that classifies."""
        assert self.classifier is not None, "no term of the sum classifies"
        return self.terms[self.classifier].logits(embeddings)  # type: ignore[operator]

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(N, dimension) and int64 (N,) to a scalar."""
        first, *rest = (weight * term(embeddings, labels) for weight, term in zip(self.weights, self.terms, strict=True))
        return sum(rest, first)
