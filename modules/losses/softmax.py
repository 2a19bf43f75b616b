"""A linear classifier with cross-entropy (Ito et al., 2021, Section III: one fully connected layer)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from configs.component import Born
from modules.layers.class_weights import ClassWeightedLossConfig, ClassWeights
from modules.layers.initialization import gaussian
from modules.layers.normalize import full_precision, wide


class SoftmaxConfig(ClassWeightedLossConfig):
    """``label_smoothing`` is the share of the target distributed evenly over all classes.

    ``initial`` is how the layer is initialized: ``uniform`` is torch's, weights and biases uniform within 1 / sqrt(dimension);
    ``gaussian`` is that of DeepFace's F8 (Taigman et al., 2014, Section 3.2): standard deviation 0.01, biases 0.5.

    ``class_weights`` gives rare classes more weight (Debreczeni et al. weight the classes of FairFace); see
    ``modules.layers.class_weights``. With ``label_smoothing`` and ``weight_normalization: weights`` the loss is torch's, which
    weights each class of the smoothed target by itself.
    """

    name: Literal["softmax"] = "softmax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    initial: Annotated[Literal["uniform", "gaussian"], Born("uniform")] = "uniform"

    def build(self, dimension: int, classes: int) -> Softmax:
        return Softmax(dimension, classes, self)


class Softmax(ClassWeights):
    """Mean cross-entropy of softmax(W x + b) over the batch, with class weights if there are any."""

    config: SoftmaxConfig

    def __init__(self, dimension: int, classes: int, config: SoftmaxConfig) -> None:
        super().__init__(classes, config)
        self.linear = nn.Linear(dimension, classes)
        if config.initial == "gaussian":
            gaussian(self.linear)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (N, classes) of embeddings (N, dimension)."""
        return self.linear(embeddings)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in nats, float32 or wider."""
        logits = self.logits(embeddings)
        with full_precision(embeddings):
            logits = wide(logits)
            weight, smoothing = self.weights(logits.dtype), self.config.label_smoothing
            if weight is None or self.config.weight_normalization == "weights":
                return functional.cross_entropy(logits, labels, weight=weight, label_smoothing=smoothing)
            losses = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
            return (weight[labels] * losses).sum() / len(labels)
