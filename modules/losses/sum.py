"""A weighted sum of losses, such as softmax + 0.008 center (Wen et al., ECCV 2016, Eq. 5)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator
from torch import Tensor, nn

from configs.component import Config as Part
from configs.lookup import resolve
from configs.network_interfaces import ExpectingLoss, LossConfig, PreparedLoss
from modules.layers.loss_contract import checked_loss, checked_module


class Term(Part):
    """A loss and its weight; with weight 0 it is computed (centers are updated) but has no gradient."""

    weight: float = Field(default=1.0, ge=0)
    loss: Annotated[SerializeAsAny[LossConfig], BeforeValidator(partial(resolve, "loss"))]


class SumConfig(LossConfig):
    """The terms in order; the first one with a classifier provides the logits. Short form in a grid file: a + 0.5 b."""

    name: Literal["sum"] = "sum"
    terms: tuple[Term, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _of_classes(self) -> Self:
        if wrong := [term.loss.name for term in self.terms if term.loss.predicts != self.predicts]:
            raise ValueError(f"{wrong[0]} predicts numbers, and a sum of losses predicts classes; give it a target of its own")
        return self

    @property
    def classifies(self) -> bool:  # type: ignore[override]
        """Whether any term classifies."""
        return any(term.loss.classifies for term in self.terms)

    def needs(self) -> frozenset[str]:
        """Union of the terms' needs."""
        return frozenset().union(*(term.loss.needs() for term in self.terms))

    def build(self, dimension: int, classes: int) -> Sum:
        return Sum(dimension, classes, self)


class Sum(nn.Module):
    """Submodules ``terms.0``, ``terms.1``, ...; all get the same embeddings."""

    def __init__(self, dimension: int, classes: int, config: SumConfig) -> None:
        super().__init__()
        built = ((term.loss, term.loss.build(dimension, classes)) for term in config.terms)
        self.terms = nn.ModuleList(checked_module(loss, config.name, config.classifies) for config, loss in built)
        self.weights = tuple(term.weight for term in config.terms)
        self.names = tuple(term.loss.name for term in config.terms)
        self.classifier = next((number for number, term in enumerate(config.terms) if term.loss.classifies), None)

    def prepare(self, counts: Tensor) -> None:
        """Passes the number of training images of each class, int64 (classes,), to the terms that use it."""
        for term in self.terms:
            if isinstance(term, PreparedLoss):
                term.prepare(counts)

    def expect(self, labels: Tensor) -> None:
        """Passes the labels of the next batch to the terms that use them, see ``ExpectingLoss``."""
        for term in self.terms:
            if isinstance(term, ExpectingLoss):
                term.expect(labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (N, classes) of embeddings (N, dimension), from the first term that classifies."""
        assert self.classifier is not None, "no term of the sum classifies"
        return self.terms[self.classifier].logits(embeddings)  # type: ignore[operator]

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of embeddings (N, dimension) and labels int64 (N,)."""
        first, *rest = (
            weight * checked_loss(term(embeddings, labels), name, embeddings)
            for weight, term, name in zip(self.weights, self.terms, self.names, strict=True)
        )
        return sum(rest, first)
