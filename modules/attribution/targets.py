"""Targets of explanations: one differentiable score per image, computed from its embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

PREDICTED = "logit of the predicted class"  # description of a ``ClassLogit`` whose labels are each image's top class


class Target(ABC):
    """A score for each of N images; row i belongs to image i.

    Attributes:
        words: description in manifests and reports
        classes: whether it needs a network that classifies
    """

    words: str
    classes: ClassVar[bool] = False

    @abstractmethod
    def scores(self, network: Any, embeddings: Tensor) -> Tensor:
        """Differentiable scores (N,) of embeddings (N, D), which are not normalized."""

    @abstractmethod
    def take(self, rows: Sequence[int] | Tensor) -> Target:
        """The target restricted to ``rows``, in that order; rows may repeat, e.g. for many masked versions of one image."""

    def to(self, device: torch.device) -> Target:
        """The target with its tensors on ``device``, so that they are not copied there for every batch."""
        return self

    @abstractmethod
    def __len__(self) -> int:
        """N."""


@dataclass(frozen=True, eq=False)
class ClassLogit(Target):
    """The logit of a class, before the softmax (Ito et al., 2021, explain the correct class).

    Attributes:
        labels: int64 (N,)
        words: which class this is, such as ``PREDICTED``
    """

    labels: Tensor
    words: str = "logit of the given class"
    classes: ClassVar[bool] = True

    def scores(self, network: Any, embeddings: Tensor) -> Tensor:
        logits: Tensor = network.loss.logits(embeddings)
        return logits.gather(1, self.labels.to(logits.device)[:, None])[:, 0]

    def take(self, rows: Sequence[int] | Tensor) -> ClassLogit:
        return replace(self, labels=self.labels[torch.as_tensor(rows)])

    def to(self, device: torch.device) -> ClassLogit:
        return replace(self, labels=self.labels.to(device))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Cosine(Target):
    """The cosine with a fixed embedding, that of the other image of a pair.

    Attributes:
        references: (N, D), of any norm but 0
        detach_norm: treat the norm of the image's embedding as a constant in gradients, so that a region gets no credit for
            changing only the norm
    """

    references: Tensor
    detach_norm: bool = True
    words: str = "cosine with the other image"

    def scores(self, network: Any, embeddings: Tensor) -> Tensor:
        norms = embeddings.norm(dim=1)
        if self.detach_norm:
            norms = norms.detach()
        other = functional.normalize(self.references.to(embeddings), dim=1)
        return (embeddings * other).sum(1) / norms

    def take(self, rows: Sequence[int] | Tensor) -> Cosine:
        return replace(self, references=self.references[torch.as_tensor(rows)])

    def to(self, device: torch.device) -> Cosine:
        return replace(self, references=self.references.to(device))

    def __len__(self) -> int:
        return len(self.references)


@dataclass(frozen=True, eq=False)
class Distance(Cosine):
    """1 - cosine with a fixed embedding; explains what makes the image differ from the other one of its pair.

    The form is that of Zhong and Deng's D (modules/explainers/pair_occlusion.py). By default the norm is differentiated too: if
    it is held constant, the gradient is that of -(other image), which is dominated by what the two images have in common.
    """

    detach_norm: bool = False
    words: str = "distance (1 - cosine) from the other image"

    def scores(self, network: Any, embeddings: Tensor) -> Tensor:
        return 1 - super().scores(network, embeddings)
