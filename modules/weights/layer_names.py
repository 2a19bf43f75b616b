"""Names of layers in other projects' networks, and ours: ``backbone.*`` and ``head.*``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

IR_UNITS = ((2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 14, 3), (3, 13, 30, 3))  # of each stage, at 18, 34, 50 and 100 layers
Rules = Sequence[tuple[str, str]]
T = TypeVar("T")
_LEAF = r"\.(weight|bias|running_mean|running_var|num_batches_tracked)"


@dataclass(frozen=True)
class Names:
    """The names of one architecture.

    Attributes:
        network: what it is in a grid file, for messages
        mark: a name that tells it from the others
        first: our name of the weights that see the color channels, (out, 3, h, w)
        rules: (pattern, replacement): the first pattern that matches the whole name determines our name. Or a function from all
            names of a file to such rules, where our names depend on the depth; raises ValueError for an unknown depth
        training_only: our names of weights that a network has only if it is built for training
    """

    network: str
    mark: str
    first: str
    rules: Rules | Callable[[Iterable[str]], Rules]
    training_only: frozenset[str] = frozenset()

    def convert(self, state: Mapping[str, T], whose: str) -> dict[str, T]:
        """The values under our names.

        Raises:
            ValueError: a name does not belong to this architecture, or its depth is unknown.
        """
        rules = self.rules(state) if callable(self.rules) else self.rules
        compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
        return {_renamed(name, compiled, whose): value for name, value in state.items()}


def _renamed(name: str, rules: Iterable[tuple[re.Pattern[str], str]], whose: str) -> str:
    for pattern, replacement in rules:
        if found := pattern.fullmatch(name):
            return found.expand(replacement)
    raise ValueError(f"{name} is no name of a layer in the {whose}")


def _xiaoccer() -> Rules:
    units = {"conv1": "backbone.stem", "dw_conv1": "backbone.depthwise", "conv2": "backbone.last"}
    rules = []
    for theirs, ours in units.items():
        rules += [
            (rf"{theirs}\.{part}{_LEAF}", rf"{ours}.{mine}.\1")
            for part, mine in (("conv", "conv"), ("bn", "norm"), ("prelu", "act"))
        ]
    block = [f"{unit}.{part}" for unit in ("expand", "depthwise", "project") for part in ("conv", "norm", "act")]
    rules += [
        (rf"blocks\.(\d+)\.conv\.{index}{_LEAF}", rf"backbone.blocks.\1.{part}.\2") for index, part in enumerate(block[:-1])
    ]
    head = {"linear7.conv": "depthwise", "linear7.bn": "norm", "linear1.conv": "linear", "linear1.bn": "out"}
    return rules + [(re.escape(theirs) + _LEAF, rf"head.{ours}.\1") for theirs, ours in head.items()]


def _ir(names: Iterable[str]) -> Rules:
    """One list of units in ``body``; where a stage begins follows from their number."""
    numbers = {int(found[1]) for name in names if (found := re.match(r"body\.(\d+)\.", name))}
    known = {sum(units): units for units in IR_UNITS}
    if not numbers:
        raise ValueError("has no tensors named body.0..., body.1... as the networks of AdaFace and face.evoLVe have")
    if numbers != set(range(len(numbers))) or len(numbers) not in known:
        counts = ", ".join(map(str, sorted(known)))
        raise ValueError(f"body has {len(numbers)} units up to number {max(numbers)}; known are {counts} units")
    plain = {"input_layer.0": "backbone.conv1", "input_layer.1": "backbone.bn1", "input_layer.2": "backbone.prelu"}
    plain |= {"output_layer.0": "head.norm", "output_layer.3": "head.linear", "output_layer.4": "head.out"}
    number = 0
    for stage, count in enumerate(known[len(numbers)], start=1):
        for unit in range(count):
            for index, part in enumerate(("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")):
                plain[f"body.{number}.res_layer.{index}"] = f"backbone.layer{stage}.{unit}.{part}"
            for index in (0, 1):
                plain[f"body.{number}.shortcut_layer.{index}"] = f"backbone.layer{stage}.{unit}.downsample.{index}"
            number += 1
    return [(re.escape(theirs) + _LEAF, rf"{ours}.\1") for theirs, ours in plain.items()]


XIAOCCER = Names("backbone mobilefacenet and head gdc", "dw_conv1.conv.weight", "backbone.stem.conv.weight", _xiaoccer())
IRESNET = Names(  # the backbone already uses the public names
    "backbone iresnet and head fc_bn",
    "layer1.0.prelu.weight",
    "backbone.conv1.weight",
    [
        (r"bn2\.(\w+)", r"head.norm.\1"),
        (r"fc\.(\w+)", r"head.linear.\1"),
        (r"features\.(\w+)", r"head.out.\1"),
        (r"((?:conv1|bn1|prelu|layer[1-4])\..+)", r"backbone.\1"),
    ],
)
IR = Names(
    "backbone {name: iresnet, shortcut: subsample} and head {name: fc_bn, affine: none}",
    "input_layer.0.weight",
    "backbone.conv1.weight",
    _ir,
)
VIT = Names(
    "backbone face_vit and head tokens",
    "feature.0.weight",
    "backbone.patch_embed.proj.weight",
    [
        (r"pos_embed", r"backbone.positions.weight"),
        (r"mask_token", r"backbone.mask.token"),
        (r"((?:patch_embed|blocks|norm)\..+)", r"backbone.\1"),
        *((rf"feature\.{index}\.(\w+)", rf"head.{part}.\1") for index, part in enumerate(("linear", "norm", "last", "out"))),
    ],
    frozenset({"backbone.mask.token"}),
)
EDGEFACE = Names(
    "backbone edgeface and head gap_ln, both with the gamma of the file",
    "stages.0.blocks.0.conv_dw.weight",
    "backbone.stem.0.weight",
    [
        (r"head\.norm\.(\w+)", r"head.norm.\1"),
        (r"head\.fc\.(.+)", r"head.linear.\1"),
        (r"((?:stem|stages)\..+)", r"backbone.\1"),
    ],
)
