"""What margin losses share: cosines to class centers, a margin on the true class's cosine, cross-entropy at a scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.layers.normalize import full_precision, unit, wide
from modules.layers.partial_fc import RowKeeper, sampled_classes


class MarginSoftmax(nn.Module):
    """Mean cross-entropy of s * cosine, the true class's cosine being lowered by ``margined``.

    Embeddings and centers are normalised here. Everything is computed in float32 or wider: a cosine in half precision is off by
    0.001 near 1, which s = 64 and the slope of the margin turn into noise.

    Args:
        dimension: of embeddings
        classes: rows of ``weight``, the class centers; drawn from a normal distribution with deviation 0.01, so that a center's
            length is small and its direction moves quickly at first
        scale: s
        sample: share of classes in a training step, see ``modules.layers.partial_fc``; in evaluation mode all classes count
    """

    def __init__(self, dimension: int, classes: int, scale: float, sample: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dimension))
        nn.init.normal_(self.weight, std=0.01)
        self.scale = scale
        self.sample = sample
        self.keeper: RowKeeper | None = None

    def margined(self, cosines: Tensor) -> Tensor:
        """Cosines to the true class, any shape, to what stands in their place."""
        raise NotImplementedError

    def logits(self, embeddings: Tensor) -> Tensor:
        """(N, dimension) to s * cosine, (N, classes), without the margin."""
        with full_precision(embeddings):
            return self.scale * self._cosines(embeddings, self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(N, dimension) and int64 (N,) to a scalar in nats, float32 or wider."""
        with full_precision(embeddings):
            weight: Tensor = self.weight
            if self.sample < 1 and self.training:
                assert self.keeper is not None, "modules.layers.margin_softmax.keep_unsampled was not called with the optimiser"
                rows = sampled_classes(labels, len(weight), self.sample)
                weight, labels = self.keeper.gather(rows), torch.searchsorted(rows, labels)
            cosines = self._cosines(embeddings, weight)
            truth = labels[:, None]
            target = self.scale * self.margined(cosines.gather(1, truth))
            return functional.cross_entropy((self.scale * cosines).scatter_(1, truth, target), labels)

    def _cosines(self, embeddings: Tensor, weight: Tensor) -> Tensor:
        return unit(wide(embeddings)) @ unit(wide(weight)).T


def keep_unsampled(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """To be called once, when the optimiser of ``network`` is made: its steps then leave unsampled classes where they are."""
    for module in network.modules():
        if isinstance(module, MarginSoftmax) and module.sample < 1:
            module.keeper = RowKeeper(module.weight, optimizer)
