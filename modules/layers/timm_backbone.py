"""A timm network up to its feature map."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn


class TimmBackbone(nn.Module):
    """The part of a timm network that ``forward_features`` runs.

    Args:
        body: the network; parts not used by the feature map should be removed first
        channels: of the feature map
        stages: names of modules of ``body`` with spatial outputs, shallow to deep; the last one gives the feature map
    """

    def __init__(self, body: nn.Module, channels: int, stages: Iterable[str]) -> None:
        super().__init__()
        self.body = pure(body)
        self.channels = channels
        self._stages = tuple(stages)

    def stages(self) -> dict[str, nn.Module]:
        """Name -> module whose output is (N, C, h, w), shallow to deep; the names are timm's."""
        return {name: self.body.get_submodule(name) for name in self._stages}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, channels, h, w)."""
        return self.body.forward_features(images)  # type: ignore[operator,no-any-return]


def create(model: str, **options: Any) -> Any:
    """A timm network with random weights and no classifier; never downloads."""
    import timm
    from timm.models.edgenext import PositionalEncodingFourier

    body = timm.create_model(model, pretrained=False, num_classes=0, **options)
    for part in body.modules():
        if isinstance(part, PositionalEncodingFourier):
            part.forward = MethodType(_encoded, part)
    return body


def _encoded(layer: Any, shape: tuple[int, int, int]) -> Tensor:
    """EdgeNeXt's encoding of positions, with what it makes on the host made on the device: a GPU would be waited for."""
    device = layer.token_projection.weight.device
    with contextlib.nullcontext() if torch.compiler.is_compiling() else device:  # which would break the graph
        found: Tensor = type(layer).forward(layer, shape)
    return found


def remove(body: nn.Module, names: Collection[str]) -> None:
    """Replaces modules by the identity: layers not used by the feature map would be counted and decayed, but not trained."""
    for name in names:
        body.set_submodule(name, nn.Identity())


def pure(module: nn.Module) -> nn.Module:
    """Turns off in-place activations: results are the same, and outputs kept by explainers are not overwritten."""
    for part in module.modules():
        if getattr(part, "inplace", False):
            part.inplace = False  # type: ignore[assignment]
    return module


def efficientnet(
    model: str, *, head: bool, channels: int, drop_path: float = 0.0, bn_momentum: float | None = None
) -> TimmBackbone:
    """An EfficientNet: stem, seven stages of blocks, and the final 1x1 convolution if ``head`` is true."""
    body = create(model, drop_path_rate=drop_path, bn_momentum=bn_momentum)
    stages = ["bn1", *(f"blocks.{stage}" for stage in range(len(body.blocks)))]
    if head:
        stages.append("bn2")
    else:
        # The convolution's normalization includes its activation, so the feature map is the last block's linear output.
        remove(body, ["conv_head", "bn2"])
    return TimmBackbone(body, channels, stages)
