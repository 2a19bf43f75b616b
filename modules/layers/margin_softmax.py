"""Base of margin losses: cosines to class centers, a margin on the true class's cosine, scaled cross-entropy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.layers.normalize import full_precision, unit, wide
from modules.layers.partial_fc import RowKeeper, sampled_classes


class MarginSoftmax(nn.Module):
    """Mean cross-entropy of s * cosine, where ``margined`` lowers the true class's cosine.

    Embeddings and centers are normalized here. Everything is computed in float32 or wider: a cosine in half precision is off by
    0.001 near 1, which s = 64 and the gradient of the margin amplify to noise.

    Args:
        dimension: of embeddings
        classes: rows of ``weight``, the class centers; initialized from a normal distribution with standard deviation 0.01, so
            that a center's norm is small and its direction changes quickly at first
        scale: s
        sample: fraction of classes per training step, see ``modules.layers.partial_fc``; evaluation mode uses all classes
    """

    def __init__(self, dimension: int, classes: int, scale: float, sample: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dimension))
        nn.init.normal_(self.weight, std=0.01)
        self.scale = scale
        self.sample = sample
        self.keeper: RowKeeper | None = None

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
        with full_precision(embeddings):
            return self.scale * self._cosines(embeddings, self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in nats, float32 or wider."""
        with full_precision(embeddings):
            weight: Tensor = self.weight
            if self.sample < 1 and self.training:
                assert self.keeper is not None, "modules.layers.margin_softmax.keep_unsampled was not called with the optimizer"
                rows = sampled_classes(labels, len(weight), self.sample)
                weight, labels = self.keeper.gather(rows), torch.searchsorted(rows, labels)
            cosines = self._cosines(embeddings, weight)
            truth = labels[:, None]
            target = self.target(cosines.gather(1, truth), wide(embeddings))
            others = self.others(cosines, target)
            loss = functional.cross_entropy((self.scale * others).scatter_(1, truth, self.scale * target), labels)
            penalty = self.penalty(wide(embeddings))
            return loss if penalty is None else loss + penalty

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
