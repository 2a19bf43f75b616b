"""Weight initialization of networks without batch normalization."""

from __future__ import annotations

from torch import nn

from modules.layers.locally_connected import LocallyConnected


def he(module: nn.Module) -> None:
    """Initializes all weights as He et al. (ICCV 2015, Eq. 10) for ReLU: normal, variance 2 / fan-in; biases are zero.

    torch's default has variance 1 / (3 fan-in): after ten layers with ReLU and without normalization the signal has almost
    vanished.
    """
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(part.weight, std=(2 / part.weight[0].numel()) ** 0.5)
        elif isinstance(part, LocallyConnected):
            nn.init.normal_(part.weight, std=(2 / part.weight.shape[2]) ** 0.5)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def gaussian(module: nn.Module, deviation: float = 0.01, bias: float = 0.5) -> None:
    """Initializes weights from a Gaussian and biases to a constant, as Taigman et al. (CVPR 2014, Section 3.2)."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, LocallyConnected)):
            nn.init.normal_(part.weight, std=deviation)
            if part.bias is not None:
                nn.init.constant_(part.bias, bias)
