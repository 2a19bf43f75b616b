"""Several targets of one network: one loss each, and a separate head for those that do not share the network's.

A target is a column of the dataset: classes or numbers. Rows without a value are ignored for that target.

The losses L_t are summed with fixed weights, or as in Kendall, Gal, Cipolla: Multi-task learning using uncertainty to weigh
    losses for scene geometry and semantics. CVPR 2018. There each target has a learned log variance s_t, and the sum is that of
    exp(-s_t) L_t + s_t / 2 over targets with classes (Eq. 10, with the approximation above it) and of exp(-s_t) L_t / 2 + s_t /
    2 over numeric targets (Eq. 7, where L_t is the squared error; with other forms of ``regression``, that loss stands in its
    place).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from configs.component import Config
from configs.lookup import component
from configs.network_interfaces import ExpectingLoss, HeadConfig, LossConfig
from modules.layers.gathering import gathered
from modules.layers.loss_contract import checked_loss, checked_module

IDENTITY = "identity"


class TargetPart(Config):
    """Configuration of one target: its loss, its own head or None, its weight in the sum of losses."""

    loss: component("loss")  # type: ignore[valid-type]
    head: component("head") | None = None  # type: ignore[valid-type]
    weight: float = 1.0

    @property
    def compares(self) -> bool:
        """Whether the target has classes and its loss no classifier, so that validation compares all images."""
        return bool(self.loss.predicts == "class" and not self.loss.classifies)


class TargetsConfig(LossConfig):
    """The losses of several targets, by name. Built from ``targets`` in a grid file, not selectable by name there.

    The ``primary`` target defines the classes of the network's ``forward``, and so what explainers explain: ``identity`` if it
    is a target, else the first by name that has a classifier, else the first. Its head is the network's head, so its embedding
    is the network's embedding.
    """

    name: Literal["targets"] = "targets"
    parts: dict[str, TargetPart] = Field(min_length=1)
    weighting: Literal["fixed", "uncertainty"] = "fixed"

    @property
    def names(self) -> tuple[str, ...]:
        """The targets in the order of their label columns."""
        return tuple(sorted(self.parts))

    @property
    def primary(self) -> str:
        with_classes = [name for name in self.names if self.parts[name].loss.classifies]
        return IDENTITY if IDENTITY in self.parts else (with_classes or self.names)[0]

    @property
    def classifies(self) -> bool:  # type: ignore[override]
        """Whether the primary target has a classifier."""
        return bool(self.parts[self.primary].loss.classifies)

    def needs(self) -> frozenset[str]:
        """Union of the losses' needs."""
        return frozenset().union(*(part.loss.needs() for part in self.parts.values()))

    def build(self, dimension: int, classes: int) -> Any:
        raise AssertionError("several targets need a feature map: use build_on")

    def build_on(self, dimension: int, classes: Mapping[str, int], shape: tuple[int, int, int]) -> TargetLosses:
        """Builds the losses and the additional heads.

        Args:
            dimension: of the network's embedding
            classes: number of classes of each target; 0 for numeric targets
            shape: (C, h, w) of the feature map
        """
        return TargetLosses(self, dimension, classes, shape)


def head_of(head: HeadConfig, loss: LossConfig) -> HeadConfig:
    """The head of the network: that of its primary target if it defines one, else ``head``."""
    own: HeadConfig | None = loss.parts[loss.primary].head if isinstance(loss, TargetsConfig) else None
    return own or head


class Measured(NamedTuple):
    """Sums over the rows of a batch that have a value.

    ``loss`` sums the cross entropy, or the loss of a numeric target. ``score`` sums correct predictions for a target with
    classes, absolute errors (in the column's unit) for a numeric target. Both are numbers or float64 scalars on the device, so
    that the host need not wait. A target with classes and without a classifier, such as one of a triplet loss, has no sums: its
    loss compares images, also of different batches. ``embedded`` then has the inputs (N, D) of its loss and the classes (N,),
    float, NaN if unknown, of all images of the batch.
    """

    loss: float | Tensor
    score: float | Tensor
    rows: int
    embedded: tuple[Tensor, Tensor] | None = None


class TargetLosses(nn.Module):
    """``heads`` holds the separate heads of targets that define one, ``losses`` the loss of each target; ``log_variance``
    (targets,), in the order of their names, is learned if the weighting is ``uncertainty``, and None otherwise."""

    def __init__(self, config: TargetsConfig, dimension: int, classes: Mapping[str, int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.config = config
        self.classes = dict(classes)
        self.dimension = dimension
        heads = {name: config.parts[name].head for name in config.names if name != config.primary}
        own: dict[str, Any] = {name: head for name, head in heads.items() if head is not None}
        self.heads = nn.ModuleDict({_key(name): head.build(*shape) for name, head in own.items()})
        self.losses = nn.ModuleDict(
            {
                _key(name): _loss(config.parts[name].loss, own[name].dimension if name in own else dimension, classes[name])
                for name in config.names
            }
        )
        learned = config.weighting == "uncertainty"
        self.log_variance = nn.Parameter(torch.zeros(len(config.names))) if learned else None
        self._expected: list[Tensor] | None = None  # for each target, the rows of the next batch that have a value

    def expect(self, labels: Tensor) -> None:
        """See ``configs.network_interfaces.ExpectingLoss``: (N, targets) on the CPU, in the format of ``forward``."""
        self.expect_rows(labels)
        for (name, column), known in zip(self._columns(labels), self._expected or (), strict=True):
            if len(known) and isinstance(loss := self.of(name), ExpectingLoss):
                loss.expect(self._typed(name, column[known]))

    def expect_rows(self, labels: Tensor) -> None:
        """Notes which labels (N, targets) on the CPU are known, for the next call of ``forward`` or ``measure``."""
        self._expected = [torch.from_numpy(np.flatnonzero(~np.isnan(column))) for column in labels.numpy().T]

    def known(self, labels: Tensor) -> list[Tensor]:
        """For each target, the rows of labels (N, targets) that have a value, int64, on the device of the labels.

        Without ``expect_rows``, the host waits for the device.
        """
        rows, self._expected = self._expected, None
        if rows is None:
            return [(~column.isnan()).nonzero()[:, 0] for column in labels.unbind(1)]
        return [(one.pin_memory() if labels.is_cuda else one).to(labels.device, non_blocking=True) for one in rows]

    def of(self, name: str) -> Any:
        """The loss of a target."""
        return self.losses[_key(name)]

    def input_dimension(self, name: str) -> int:
        """D of the input (N, D) of a target's loss."""
        own = self.config.parts[name].head
        return int(own.dimension) if own is not None and _key(name) in self.heads else self.dimension

    def embedding(self, name: str, features: Tensor, embedding: Tensor) -> Tensor:
        """Input (N, D) of a target's loss; ``embedding`` is the network's."""
        return self.heads[_key(name)](features) if _key(name) in self.heads else embedding

    def logits(self, embeddings: Tensor) -> Tensor:
        """The primary target's logits (N, classes) of the network's embeddings (N, D)."""
        return self.of(self.config.primary).logits(embeddings)  # type: ignore[no-any-return]

    def prepare(self, labels: Tensor) -> None:
        """Prepares each loss with the training labels (N, targets), in the format of ``forward``."""
        for name, column in self._columns(labels):
            loss, known = self.of(name), column[~column.isnan()]
            if hasattr(loss, "prepare"):
                loss.prepare(torch.bincount(known.long(), minlength=self.classes[name]))
            elif hasattr(loss, "prepare_values"):
                loss.prepare_values(known)

    def forward(self, embeddings: Tensor, labels: Tensor, features: Tensor, known: list[Tensor] | None = None) -> Tensor:
        """The weighted sum of the losses, see the head of this file. A target without labels in the batch does not count.

        Args:
            embeddings: of the network, (N, D)
            labels: (N, targets) float, one column per target in the order of their names: the class or the number, NaN if
                unknown; on several devices, those of the whole batch
            features: (N, C, h, w)
            known: what ``known`` says of the labels; None: to be found here
        """
        known = self.known(labels) if known is None else known
        total = embeddings.sum() * 0  # a batch without any labels must still have a loss
        for place, ((name, column), rows) in enumerate(zip(self._columns(labels), known, strict=True)):
            if len(rows):
                seen = gathered(self.embedding(name, features, embeddings))[rows]
                found = self.of(name)(seen, self._typed(name, column[rows]))
                total = total + self._weighted(place, name, checked_loss(found, self.config.parts[name].loss.name, seen))
        return total

    def _weighted(self, place: int, name: str, loss: Tensor) -> Tensor:
        part = self.config.parts[name]
        if self.log_variance is None:
            return part.weight * loss
        s = self.log_variance[place]
        return (0.5 if part.loss.predicts == "number" else 1.0) * torch.exp(-s) * loss + s / 2

    def log_variances(self) -> dict[str, float]:
        """``log_variance_NAME`` of each target; empty if the weights are fixed."""
        if self.log_variance is None:
            return {}
        values = self.log_variance.detach().tolist()
        return {f"log_variance_{name}": value for name, value in zip(self.config.names, values, strict=True)}

    def predictions(self, embeddings: Tensor, features: Tensor) -> dict[str, Tensor]:
        """The predictions for each target that predicts something: probabilities (N, classes), or numbers (N,); float32.

        Args:
            embeddings: of the network, (N, D)
            features: (N, C, h, w)
        """
        found = {}
        for name in self.config.names:
            loss, seen = self.config.parts[name].loss, self.embedding(name, features, embeddings)
            if loss.predicts == "number":
                found[name] = self.of(name).predict(seen).float()
            elif loss.classifies:
                found[name] = self.of(name).logits(seen).float().softmax(1)
        return found

    @torch.no_grad()
    def measure(self, embeddings: Tensor, labels: Tensor, features: Tensor) -> dict[str, Measured]:
        """What validation needs of each target: the sums of a batch, or its embeddings; see ``Measured``."""
        found = {}
        for (name, column), known in zip(self._columns(labels), self.known(labels), strict=True):
            rows = len(known)
            if self.config.parts[name].compares:
                found[name] = Measured(0.0, 0.0, rows, (self.embedding(name, features, embeddings).float(), column))
                continue
            if not rows:
                found[name] = Measured(0.0, 0.0, 0)
                continue
            loss, values = self.of(name), self._typed(name, column[known])
            seen = self.embedding(name, features, embeddings)[known]
            if self.config.parts[name].loss.classifies:
                logits = loss.logits(seen).float()
                total = functional.cross_entropy(logits, values, reduction="none").double().sum()
                found[name] = Measured(total, (logits.argmax(1) == values).sum().double(), rows)
            else:
                score = (loss.predict(seen).float() - values).abs().double().sum()
                found[name] = Measured(loss(seen.float(), values).double() * rows, score, rows)
        return found

    def _columns(self, labels: Tensor) -> list[tuple[str, Tensor]]:
        assert labels.shape[1:] == (len(self.config.parts),), labels.shape
        return list(zip(self.config.names, labels.unbind(1), strict=True))

    def _typed(self, name: str, column: Tensor) -> Tensor:
        return column if self.config.parts[name].loss.predicts == "number" else column.long()


def _loss(config: LossConfig, dimension: int, classes: int) -> nn.Module:
    return checked_module(config.build(dimension, classes), config.name, config.classifies)  # type: ignore[no-any-return]


def _key(name: str) -> str:
    return f"target_{name}"  # a ModuleDict does not accept names such as "type"


def objective(training: Any) -> LossConfig:
    """The loss of a ``grid.spec.training.Training``: its ``loss``, or that of its targets."""
    if not training.targets:
        return training.loss
    parts = {
        name: TargetPart(loss=target.loss or training.loss, head=target.head, weight=target.weight)
        for name, target in training.targets.items()
    }
    return TargetsConfig(parts=parts, weighting=training.target_weighting)
