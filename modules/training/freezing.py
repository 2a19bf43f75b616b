"""Which part of a backbone is trained. Frozen layers keep their weights and their statistics."""

from __future__ import annotations

from typing import Any

from torch import nn

from modules.layers.locally_connected import LocallyConnected

CONVOLUTIONS = (nn.Conv2d, LocallyConnected)
DECODER = "decoder"  # of a network, the only part that is trained: nothing of the backbone is


def freeze(backbone: Any, trainable: int | str) -> list[nn.Module]:
    """Turns off the gradients of what is not trained; returns the frozen layers, which must stay in evaluation mode.

    Layers count in the order in which the backbone registers them, which for all of ours is the order of the forward pass.

    Args:
        backbone: as ``configs.interfaces.BackboneConfig.build`` makes it
        trainable: "all"; "none"; "decoder", which leaves nothing of a backbone; the number of last convolutions that are
            trained, with all that follows the first of them (Debreczeni et al., Table VI: 5 and 7); or a stage's name: it and
            all later layers are trained

    Raises:
        ValueError: no such stage, or fewer convolutions than that.
    """
    layers, first = _cut(backbone, trainable)
    kept = {id(parameter) for layer in layers[first:] for parameter in layer.parameters(recurse=False)}
    for parameter in backbone.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    return layers[:first]


def freeze_recognition(network: Any) -> list[nn.Module]:
    """Freezes all of a ``modules.network.Network`` but its decoder; returns the parts as ``freeze`` does."""
    parts = [part for name, part in network.named_children() if name != DECODER]
    for part in parts:
        part.requires_grad_(False)
    return parts


def check(backbone: Any, trainable: int | str) -> None:
    """Raises what ``freeze`` would raise; changes nothing."""
    _cut(backbone, trainable)


def _cut(backbone: Any, trainable: int | str) -> tuple[list[nn.Module], int]:
    """The layers, and where the trained ones begin."""
    layers = [module for module in backbone.modules() if _holds(module)]
    return layers, 0 if trainable == "all" else _first(backbone, layers, trainable)


def _holds(module: nn.Module) -> bool:
    """Whether it is a layer: something with weights or statistics of its own. Some normalisations hold an activation too."""
    return any(True for _ in module.parameters(recurse=False)) or any(True for _ in module.buffers(recurse=False))


def _first(backbone: Any, layers: list[nn.Module], trainable: int | str) -> int:
    """Where the trained layers begin."""
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
    return next(place for place, layer in enumerate(layers) if id(layer) in inside)
