"""DeepFace's F7 (Taigman et al., "DeepFace", CVPR 2014, Sections 3.1 and 3.2): one wide linear layer with ReLU, then dropout.

F8 is the ``softmax`` loss. About three quarters of F7's outputs are zero in the paper.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig
from modules.layers.initialization import gaussian, he

_LEAST = 0.05  # minimum divisor, from the paper


class DeepFaceF7Config(HeadConfig):
    """Accepts a feature map of any size, with weights for each location.

    Fields:
        dimension: of F7
        dropout: dropout rate of F7's outputs
        normalize: divide each output by its maximum in training, see ``Peaks``; protocols divide by the norm in any case
        initial: weight initialization: ``he``, or the paper's ``gaussian`` (standard deviation 0.01, bias 0.5)
    """

    name: Literal["deepface_f7"] = "deepface_f7"
    dimension: int = Field(default=4096, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    normalize: bool = False
    initial: Literal["he", "gaussian"] = "he"

    def build(self, channels: int, height: int, width: int) -> F7:
        return F7(channels * height * width, self)


class F7(nn.Module):
    """Linear, ReLU, optional division by the peaks, dropout."""

    def __init__(self, width: int, config: DeepFaceF7Config) -> None:
        super().__init__()
        self.linear = nn.Linear(width, config.dimension)
        self.relu = nn.ReLU()
        self.peaks: nn.Module = Peaks(config.dimension) if config.normalize else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        gaussian(self) if config.initial == "gaussian" else he(self)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension), non-negative."""
        return self.dropout(self.peaks(self.relu(self.linear(features.flatten(1)))))


class Peaks(nn.Module):
    """x_i / max(peak_i, 0.05), where peak_i is the largest x_i seen in training.

    The paper computes the peaks on the training set after training, and only uses them for comparison. Here the classifier gets
    the divided values too, so that training and test use the same network, and peaks decay by a thousandth per batch, because
    they come from outdated weights. Peaks get no gradient.
    """

    peak: Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("peak", torch.zeros(dimension))

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, dimension) to the same."""
        if self.training:
            with torch.no_grad():
                self.peak.copy_(torch.maximum(0.999 * self.peak, vectors.amax(0).to(self.peak.dtype)))
        return vectors / self.peak.clamp(min=_LEAST).to(vectors.dtype)
