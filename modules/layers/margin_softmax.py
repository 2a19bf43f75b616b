"""Base of margin losses: cosines to class centers, a margin on the true class's cosine, scaled cross-entropy."""

from __future__ import annotations

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
            target = self.scale * self.margined(cosines.gather(1, truth))
            return functional.cross_entropy((self.scale * cosines).scatter_(1, truth, target), labels)

    def _cosines(self, embeddings: Tensor, weight: Tensor) -> Tensor:
        return unit(wide(embeddings)) @ unit(wide(weight)).T


def keep_unsampled(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Must be called once, after creating the optimizer of ``network``: its steps then leave unsampled classes unchanged."""
    for module in network.modules():
        if isinstance(module, MarginSoftmax) and module.sample < 1:
            module.keeper = RowKeeper(module.weight, optimizer)
