"""Base of margin losses: cosines to class centers, a margin on the true class's cosine, scaled cross-entropy."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from configs.network_interfaces import LossConfig
from modules.layers import shared_classes
from modules.layers.late_copy import LateCopy
from modules.layers.normalize import full_precision, unit, wide
from modules.layers.partial_fc import RowKeeper, sampled_classes


class MarginSoftmaxConfig(LossConfig):
    """Base class of the configs of margin losses; ``scale`` is s, by which cosines are multiplied."""

    shares_classes: ClassVar[bool] = True
    scale: float = Field(default=64.0, gt=0)


class SampledMarginConfig(MarginSoftmaxConfig):
    """``sample`` is the fraction of classes per training step, see ``modules.layers.partial_fc``."""

    sample: float = Field(default=1.0, gt=0, le=1)


class MarginSoftmax(nn.Module):
    """Mean cross-entropy of s * cosine, where ``margined`` lowers the true class's cosine.

    Embeddings and centers are normalized here. Everything is computed in float32 or wider: a cosine in half precision is off by
    0.001 near 1, which s = 64 and the gradient of the margin amplify to noise.

    Args:
        dimension: of embeddings
        classes: rows of ``weight``, the class centers; initialized from a normal distribution with standard deviation 0.01, so
            that a center's norm is small and its direction changes quickly at first
        config: with ``scale``, and ``sample`` if classes may be sampled; evaluation mode uses all classes
        centers: rows of ``weight`` per class; more than one does not combine with ``sample``

    Attributes:
        part: which classes ``weight`` has, on a rank that shares them with others; None: all
    """

    def __init__(self, dimension: int, classes: int, config: Any, centers: int = 1) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(classes * centers, dimension))
        nn.init.normal_(self.weight, std=0.01)
        self.classes = classes
        self.centers = centers
        self.scale: float = config.scale
        self.sample: float = getattr(config, "sample", 1.0)
        assert centers == 1 or self.sample == 1, "sampled rows are classes"
        self.keeper: RowKeeper | None = None
        self.part: shared_classes.ClassSlice | None = None
        self._drawn: Tensor | None = None  # the classes of the next ``forward``, see ``draw``
        self._bounds = LateCopy()  # where those of this rank begin and end

    def share(self, rank: int, world: int) -> None:
        """Keeps the centers of this rank's classes only. From now on, all ranks call ``forward`` with the same arguments.

        Must be called before the optimizer is made, which then has the state of these centers only. ``weight`` gets its whole
        gradient, so it must not be averaged over ranks.

        Raises:
            ValueError: there are fewer classes than ranks.
        """
        self.part = shared_classes.ClassSlice(self.classes, rank, world)
        rows = self.weight.detach()[self.part.start * self.centers : self.part.stop * self.centers]
        self.weight = nn.Parameter(rows.clone())

    def draw(self, labels: Tensor, seed: int) -> None:
        """Samples the classes of the next ``forward``, as that would itself after ``torch.manual_seed(seed)``.

        Called before the embeddings are computed: then the device has counted this rank's classes long before it needs the
        number from the host, which would have to wait otherwise. Does nothing if classes are not shared or not sampled.
        """
        if self.part is None or self.sample == 1 or not self.training:
            return
        rows = sampled_classes(labels, self.classes, self.sample, torch.Generator(labels.device).manual_seed(seed))
        self._bounds.send(torch.stack([(rows < self.part.start).sum(), (rows < self.part.stop).sum()]))
        self._drawn = rows

    def margined(self, cosines: Tensor) -> Tensor:
        """Applies the margin to cosines to the true class; any shape."""
        raise NotImplementedError

    def target(self, cosines: Tensor, embeddings: Tensor) -> Tensor:
        """As ``margined``, for margins that depend on the embeddings (N, dimension); cosines are (N, 1)."""
        return self.margined(cosines)

    def others(self, cosines: Tensor, target: Tensor) -> Tensor:
        """The cosines (N, classes) to all classes, changed for classes other than the true one, whose ``target`` is (N, 1)."""
        return cosines

    def penalty(self, embeddings: Tensor) -> Tensor | None:
        """A term added to the loss, from embeddings (N, dimension); None: nothing."""
        return None

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits s * cosine, (N, classes), without the margin, of embeddings (N, dimension)."""
        assert self.part is None, "this rank has the logits of some classes only; see classified"
        return self._logits(embeddings)

    @torch.no_grad()
    def classified(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy and predicted class of each row, (N,) and int64 (N,), from the logits of classes that ranks share.

        All ranks call it with the same arguments and get the same results.
        """
        assert self.part is not None, "share was not called"
        logits = self._logits(embeddings)
        places, held = self._places(labels, None)
        target = shared_classes.at_label(logits, places, held)
        losses = shared_classes.cross_entropy(logits, target, places, held)
        return losses[:, 0], shared_classes.highest(logits, self.part)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in nats, float32 or wider."""
        with full_precision(embeddings):
            rows = self._sampled(labels) if self.sample < 1 and self.training else None
            loss = self._whole(embeddings, labels, rows) if self.part is None else self._shared(embeddings, labels, rows)
            penalty = self.penalty(wide(embeddings))
            return loss if penalty is None else loss + penalty

    def _sampled(self, labels: Tensor) -> Tensor:
        """The classes of this step; those of this rank, counted from its first one, if classes are shared."""
        drawn, self._drawn = self._drawn, None
        if drawn is None or self.part is None:
            rows = sampled_classes(labels, self.classes, self.sample)
            return rows if self.part is None else self.part.own(rows)
        torch.rand(self.classes, device=labels.device)  # again, so that what is drawn next is the same as without ``draw``
        start, stop = self._bounds.read().tolist()
        return drawn[start:stop] - self.part.start

    def _whole(self, embeddings: Tensor, labels: Tensor, rows: Tensor | None) -> Tensor:
        if rows is not None:
            labels = torch.searchsorted(rows, labels)
        cosines = self._cosines(embeddings, self._weight(rows))
        truth = labels[:, None]
        target = self.target(cosines.gather(1, truth), wide(embeddings))
        others = self.others(cosines, target)
        return functional.cross_entropy((self.scale * others).scatter_(1, truth, self.scale * target), labels)

    def _shared(self, embeddings: Tensor, labels: Tensor, rows: Tensor | None) -> Tensor:
        cosines = self._cosines(shared_classes.for_own_classes(embeddings), self._weight(rows))
        places, held = self._places(labels, rows)
        target = self.target(shared_classes.at_label(cosines, places, held), wide(embeddings))
        others = self.others(cosines, shared_classes.for_own_classes(target))
        return shared_classes.cross_entropy(self.scale * others, self.scale * target, places, held).mean()

    def _weight(self, rows: Tensor | None) -> Tensor:
        """The centers of all classes, or of the sampled ones."""
        if rows is None:
            return self.weight
        assert self.keeper is not None, "modules.layers.margin_softmax.keep_unsampled was not called with the optimizer"
        return self.keeper.gather(rows)

    def _places(self, labels: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """See ``shared_classes.at_label``."""
        assert self.part is not None
        held = (labels >= self.part.start) & (labels < self.part.stop)
        places = labels - self.part.start
        if rows is not None:
            places = torch.searchsorted(rows, places)
        return torch.where(held, places, 0), held

    def _logits(self, embeddings: Tensor) -> Tensor:
        with full_precision(embeddings):
            return self.scale * self._cosines(embeddings, self.weight)

    def _cosines(self, embeddings: Tensor, weight: Tensor) -> Tensor:
        return unit(wide(embeddings)) @ unit(wide(weight)).T


def rotated(cosines: Tensor, margin: Tensor | float) -> Tensor:
    """cos(theta + m) without angles; where theta + m exceeds pi, cos(theta) - m sin(m), which keeps decreasing.

    Args:
        cosines: of theta
        margin: m from 0 to pi: a number, or a tensor of the same shape
    """
    cosine, sine = _cosine_sine(margin)
    return torch.where(cosines >= -cosine, _shifted(cosines, margin), cosines - margin * sine)


def rotated_within(cosines: Tensor, margin: Tensor | float, epsilon: float) -> Tensor:
    """cos(theta + m) with theta + m clipped to [epsilon, pi - epsilon]; no gradient where clipped.

    Args:
        cosines: of theta
        margin: m from -pi / 2 to pi / 2: a number, or a tensor of the same shape
        epsilon: in radians
    """
    beyond = (margin > -epsilon) & (cosines < -_cosine_sine(margin + epsilon)[0])
    before = (margin < epsilon) & (cosines > _cosine_sine(epsilon - margin)[0])
    found = torch.where(beyond, -math.cos(epsilon), _shifted(cosines, margin))
    return torch.where(before, math.cos(epsilon), found)


def _shifted(cosines: Tensor, margin: Tensor | float) -> Tensor:
    """cos(theta + m). The gradient of the sine is infinite at cos = +-1, so the sine is treated as constant there."""
    cosine, sine = _cosine_sine(margin)
    return cosines * cosine - (1 - cosines.square()).clamp_min(torch.finfo(cosines.dtype).eps).sqrt() * sine


def _cosine_sine(angle: Any) -> tuple[Any, Any]:
    return (angle.cos(), angle.sin()) if isinstance(angle, Tensor) else (math.cos(angle), math.sin(angle))


def keep_unsampled(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Must be called once, after creating the optimizer of ``network``: its steps then leave unsampled classes unchanged."""
    for module in network.modules():
        if isinstance(module, MarginSoftmax) and module.sample < 1:
            module.keeper = RowKeeper(module.weight, optimizer)
