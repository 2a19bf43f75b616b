"""Counts parameters and operations of a network on the meta device, without computation or memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from configs.component import canonical
from configs.network_interfaces import BackboneConfig, DecoderConfig, HeadConfig, LossConfig
from modules.network import auxiliary_of, loss_of
from modules.shape_inference import Size, config_key, feature_shape, forward_pass, on_meta, sides
from modules.targets import head_of

_COUNTS: dict[tuple[str, str, str, str, str, int, int], Count] = {}


@dataclass(frozen=True)
class Count:
    """The size of a network.

    Attributes:
        parameters: of backbone and head, i.e. what is used at test time; the number given in papers
        flops: for one image through backbone and head. A multiply-add counts as two; only convolutions and matrix products
            count, not normalization, activation and pooling
        loss_parameters: of the loss (mostly the classifier) and of the backbone's auxiliary classification, if any; grows with
            the number of classes
        decoder_parameters, decoder_flops: of the decoder, which is only used in training; 0 without one
    """

    parameters: int
    flops: int
    loss_parameters: int
    decoder_parameters: int = 0
    decoder_flops: int = 0


def count(
    backbone: BackboneConfig,
    head: HeadConfig,
    loss: LossConfig,
    classes: int | Mapping[str, int],
    size: Size,
    decoder: DecoderConfig | None = None,
) -> Count:
    """Counts a network for images of ``size`` pixels; cached per process.

    Raises:
        ValueError: the backbone does not support the size, or the head or decoder does not support the feature map.
    """
    last = "" if decoder is None else config_key(decoder)
    key = (config_key(backbone), config_key(head), config_key(loss), last, canonical(classes), *sides(size))
    if key not in _COUNTS:
        _COUNTS[key] = _count(backbone, head, loss, classes, size, decoder)
    return _COUNTS[key]


def _count(
    backbone: BackboneConfig,
    head: HeadConfig,
    loss: LossConfig,
    classes: int | Mapping[str, int],
    size: Size,
    decoder: DecoderConfig | None,
) -> Count:
    from torch.utils.flop_counter import FlopCounterMode

    shape = feature_shape(backbone, size)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        head = head_of(head, loss)
        top = head.build(*shape).eval()
        classifiers = [loss_of(loss, head, classes, shape), auxiliary_of(on_meta(backbone), loss, classes) or nn.Identity()]
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            top(torch.empty(1, *shape))
        back = nn.Identity() if decoder is None else decoder.build(*shape, sides(size)).eval()
        counter_back = FlopCounterMode(display=False)
        with counter_back, torch.no_grad():
            back(torch.empty(1, *shape))
    return Count(
        parameters=_parameters(on_meta(backbone)) + _parameters(top),
        flops=forward_pass(backbone, size).flops + counter.get_total_flops(),
        loss_parameters=sum(_parameters(classifier) for classifier in classifiers),
        decoder_parameters=_parameters(back),
        decoder_flops=counter_back.get_total_flops(),
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
