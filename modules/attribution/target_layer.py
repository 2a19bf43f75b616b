"""Selects the backbone stage that an explainer uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modules.attribution.explainer import Refused
from modules.attribution.hooks import hooked
from modules.shape_inference import Shape, shape_of


def choose_stage(method: str, network: Any, image: Tensor, layer: str | None, min_side: int) -> tuple[str, Shape]:
    """Returns ``layer``, or the deepest stage whose output is at least ``min_side`` x ``min_side``, and its (channels, h, w).

    Args:
        method: the explainer's name, for messages
        network: in evaluation mode
        image: (1, 3, H, W)
        layer: name of a stage, or None
        min_side: in locations of the feature map; ignored if ``layer`` is given

    Raises:
        Refused: ``layer_too_coarse``: no stage's output is large enough; lists the shapes. ``no_such_layer``: ``layer`` is not
            a stage; lists the stages.
    """
    stages = stages_of(method, network, layer)
    shapes: dict[str, Shape] = {}

    def see(name: str, output: Tensor) -> None:
        assert output.ndim == 4, f"stage {name} gives {tuple(output.shape)}, not (N, channels, h, w)"
        shapes[name] = shape_of(output)

    with torch.no_grad(), hooked(stages, see):
        network.embed(image)
    if layer is not None:
        return layer, shapes[layer]
    for name in reversed(stages):
        if min(shapes[name][1:]) >= min_side:
            return name, shapes[name]
    raise too_coarse(shapes, min_side)


def stages_of(method: str, network: Any, layer: str | None) -> dict[str, nn.Module]:
    """All stages of the backbone, or only ``layer`` if given.

    Raises:
        Refused: ``no_such_layer``: ``layer`` is not a stage; lists the stages.
    """
    stages: dict[str, nn.Module] = network.backbone.stages()
    if layer is None:
        return stages
    if layer not in stages:
        known = ", ".join(stages)
        raise Refused("no_such_layer", f"explainer {method}: layer {layer!r} is no stage of this backbone (known: {known})")
    return {layer: stages[layer]}


def too_coarse(shapes: Mapping[str, Shape], min_side: int) -> Refused:
    """The error for stages whose outputs, (channels, h, w), are all too small."""
    found = ", ".join(f"{name} {height}x{width}" for name, (_, height, width) in shapes.items())
    return Refused(
        "layer_too_coarse", f"no stage gives a map of at least {min_side}x{min_side} at this input size (found: {found})"
    )
