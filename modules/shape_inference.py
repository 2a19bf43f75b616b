"""Infers shapes of feature maps and operations on the meta device: allocates no weights and draws no random numbers."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from configs.component import canonical
from configs.network_interfaces import BackboneConfig

Shape = tuple[int, int, int]
Size = int | tuple[int, int]  # of images in pixels: (height, width), or one number for both

_BUILT: dict[str, Any] = {}
_PASSES: dict[tuple[str, int, int], Pass] = {}
_SIZES = (16, 32, 48, 64, 96, 112, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)


@dataclass(frozen=True)
class Pass:
    """One image's pass through a backbone: stage name -> (C, h, w), shallow to deep, and its operations (see ``counting``)."""

    stages: dict[str, Shape]
    flops: int


def sides(size: Size) -> tuple[int, int]:
    """(height, width) in pixels."""
    return (size, size) if isinstance(size, int) else size


def shape_of(maps: torch.Tensor) -> Shape:
    """(C, h, w) of one map or of a batch of them."""
    channels, height, width = maps.shape[-3:]
    return channels, height, width


def feature_shape(backbone: BackboneConfig, size: Size) -> Shape:
    """(C, h, w) of the feature map for images of ``size``; raises as ``forward_pass``."""
    return list(stage_shapes(backbone, size).values())[-1]


def stage_shapes(backbone: BackboneConfig, size: Size) -> dict[str, Shape]:
    """Stage name -> (C, h, w), shallow to deep; the last is the feature map; raises as ``forward_pass``."""
    return dict(forward_pass(backbone, size).stages)


def forward_pass(backbone: BackboneConfig, size: Size) -> Pass:
    """Shapes and operations for one image of ``size``; cached per process.

    Raises:
        ValueError: the backbone does not support the size (reports the smallest one it supports), or its stages violate the
            contract of ``BackboneConfig.build``.
    """
    height, width = sides(size)
    known = (config_key(backbone), height, width)
    if known not in _PASSES:
        try:
            _PASSES[known] = _try(on_meta(backbone), height, width)
        except _TooSmall as error:
            raise ValueError(
                f"backbone {title(backbone)} cannot take images of {height} x {width} pixels ({error}); "
                f"{_advice(backbone, height == width)}"
            ) from error
        except ValueError as error:
            raise ValueError(f"backbone {title(backbone)}: {error}") from error
    return _PASSES[known]


def on_meta(backbone: BackboneConfig) -> Any:
    """The built backbone without weights, in evaluation mode; shared, so it must not be changed.

    Raises:
        ValueError: the backbone cannot be built, e.g. an unknown timm model, or does not implement the backbone interface.
    """
    key = config_key(backbone)
    if key not in _BUILT:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            built = backbone.build().eval()
        if absent := [name for name in ("channels", "stages") if not hasattr(built, name)]:
            raise ValueError(
                f"backbone {title(backbone)}: its network, a {type(built).__name__}, has no {' and no '.join(absent)}; "
                "BackboneConfig in configs/network_interfaces.py says what a backbone has"
            )
        _BUILT[key] = built
    return _BUILT[key]


def config_key(config: Any) -> str:
    """A key that is equal for configs that build equal networks."""
    return f"{type(config).__module__} {canonical(config.identity())}"


def title(backbone: BackboneConfig) -> str:
    """Name of a backbone in messages: its name, and that of the model or backbone it wraps."""
    inner = getattr(backbone, "backbone", None)
    wrapped = title(inner) if isinstance(inner, BackboneConfig) else getattr(backbone, "model", None)
    return f"{backbone.name} ({wrapped})" if wrapped else backbone.name


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _TooSmall(Exception):
    """The forward pass failed, or the feature map is empty."""


def _try(module: nn.Module, height: int, width: int) -> Pass:
    from torch.utils.flop_counter import FlopCounterMode

    stages: dict[str, nn.Module] = module.stages()  # type: ignore[operator]
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: outputs.__setitem__(name, output)

    hooks = [stage.register_forward_hook(keep(name)) for name, stage in stages.items()]
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            output = module(torch.empty(1, 3, height, width, device="meta"))
    except Exception as error:  # each library raises a different error for images that are too small
        raise _TooSmall(first_line(error)) from error
    finally:
        for hook in hooks:
            hook.remove()
    if list(outputs) != list(stages):
        raise ValueError(f"its stages are {list(stages)}, and they ran as {list(outputs)}")
    if outputs[list(outputs)[-1]] is not output:
        raise ValueError("the output of its last stage is not its own output, the feature map")
    for name, found in outputs.items():
        if found.ndim != 4:
            raise ValueError(f"its stage {name} gives {tuple(found.shape)}, not (N, C, h, w)")
    if output.shape[1] != module.channels:
        raise ValueError(f"its channels is {module.channels}, and its feature map has {output.shape[1]} channels")
    if 0 in output.shape:
        raise _TooSmall("nothing is left of the map")
    shapes = {name: shape_of(found) for name, found in outputs.items()}
    return Pass(shapes, counter.get_total_flops())


def _advice(backbone: BackboneConfig, square: bool) -> str:
    module = on_meta(backbone)
    above = next((size for size in _SIZES if _works(module, size)), None)
    if above is None:
        return f"it takes none of the sizes {_SIZES[0]} to {_SIZES[-1]} that were tried"
    between = range(max((size for size in _SIZES if size < above), default=0) + 1, above)
    smallest = between.start + bisect_left(between, True, key=lambda size: _works(module, size))
    return f"the smallest {'' if square else 'square '}that it takes is {smallest} x {smallest}"


def _works(module: nn.Module, size: int) -> bool:
    try:
        _try(module, size, size)
    except _TooSmall:
        return False
    return True
