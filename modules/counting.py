"""Parameters and operations of a network, counted on the meta device: nothing is computed, nothing is held."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from configs.kinds import BackboneConfig, HeadConfig, LossConfig
from modules.shapes import config_key, feature_shape, forward_pass, on_meta

_COUNTS: dict[tuple[str, str, str, int, int], Count] = {}


@dataclass(frozen=True)
class Count:
    """The size of a network.

    Attributes:
        parameters: of backbone and head, which is what a face needs at test time; the papers' number
        flops: one image through backbone and head. A multiply-add is two; convolutions and matrix products count, while
            normalisation, activation and pooling do not
        loss_parameters: of the loss, mostly the classifier; grows with the number of classes
    """

    parameters: int
    flops: int
    loss_parameters: int


def count(backbone: BackboneConfig, head: HeadConfig, loss: LossConfig, classes: int, size: int) -> Count:
    """Counts a network for images of ``size`` x ``size`` pixels; remembered in this process.

    Raises:
        ValueError: the backbone cannot take images of that size.
    """
    key = (config_key(backbone), config_key(head), config_key(loss), classes, size)
    if key not in _COUNTS:
        _COUNTS[key] = _count(backbone, head, loss, classes, size)
    return _COUNTS[key]


def _count(backbone: BackboneConfig, head: HeadConfig, loss: LossConfig, classes: int, size: int) -> Count:
    from torch.utils.flop_counter import FlopCounterMode

    shape = feature_shape(backbone, size)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        top = head.build(*shape).eval()
        classifier = loss.build(head.dimension, classes)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            top(torch.empty(1, *shape))
    return Count(
        parameters=_parameters(on_meta(backbone)) + _parameters(top),
        flops=forward_pass(backbone, size).flops + counter.get_total_flops(),
        loss_parameters=_parameters(classifier),
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
