"""Freezes parts of a backbone. Frozen layers keep their weights and statistics."""

from __future__ import annotations

from typing import Any

from torch import nn

from modules.layers.locally_connected import LocallyConnected

CONVOLUTIONS = (nn.Conv2d, LocallyConnected)
DECODER = "decoder"  # train only the network's decoder, nothing of the backbone


def freeze(backbone: Any, trainable: int | str) -> list[nn.Module]:
    """Turns off the gradients of frozen layers and returns these layers, which must stay in evaluation mode.

    Layers are in the order in which the backbone registers them, which for all our backbones is the order of the forward pass.

    Args:
        backbone: as built by ``configs.network_interfaces.BackboneConfig.build``
        trainable: "all"; "none"; "decoder", which freezes the whole backbone; the number of last convolutions to train,
            together with everything after the first of them (Debreczeni et al., Table VI: 5 and 7); or a stage's name: train
            it and all later layers

    Raises:
        ValueError: there is no such stage, it has no layers, or there are fewer convolutions than requested.
    """
    layers, first = _cut(backbone, trainable)
    kept = {id(parameter) for layer in layers[first:] for parameter in layer.parameters(recurse=False)}
    for parameter in backbone.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    trained = {id(layer) for layer in layers[first:]}  # some are within a module that has frozen parameters of its own
    return [layer for layer in layers[:first] if trained.isdisjoint(map(id, layer.modules()))]


def freeze_recognition(network: Any) -> list[nn.Module]:
    """Freezes all of a ``modules.network.Network`` except its decoder; returns the frozen parts as ``freeze`` does."""
    parts = [part for name, part in network.named_children() if name != DECODER]
    for part in parts:
        part.requires_grad_(False)
    return parts


def check(backbone: Any, trainable: int | str) -> None:
    """Raises the errors of ``freeze`` without changing anything."""
    _cut(backbone, trainable)


def _cut(backbone: Any, trainable: int | str) -> tuple[list[nn.Module], int]:
    """Returns the layers and the index of the first trained one."""
    layers = [module for module in backbone.modules() if _holds(module)]
    return layers, 0 if trainable == "all" else _first(backbone, layers, trainable)


def _holds(module: nn.Module) -> bool:
    """Whether the module is a layer, i.e. has own weights or statistics. Some normalizations also contain an activation."""
    return any(True for _ in module.parameters(recurse=False)) or any(True for _ in module.buffers(recurse=False))


def _first(backbone: Any, layers: list[nn.Module], trainable: int | str) -> int:
    """Index of the first trained layer."""
    if trainable in ("none", DECODER):
        return len(layers)
    if isinstance(trainable, int):
        places = [place for place, layer in enumerate(layers) if isinstance(layer, CONVOLUTIONS)]
        if trainable > len(places):
            raise ValueError(f"recipe.trainable is {trainable}, but the backbone has {len(places)} convolutions")
        return places[-trainable]
    stages = backbone.stages()
    if trainable not in stages:
        raise ValueError(
            f"recipe.trainable {trainable!r} is no stage of this backbone (known: all, none, decoder, {', '.join(stages)})"
        )
    inside = {id(module) for module in stages[trainable].modules()}
    first = next((place for place, layer in enumerate(layers) if id(layer) in inside), None)
    if first is None:
        raise ValueError(f"recipe.trainable {trainable!r} is a stage without layers of its own; name an earlier one, or none")
    return first
