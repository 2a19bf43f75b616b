"""Layer names in other projects' weight files, and their conversion to ``backbone.*`` and ``head.*``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Naming scheme of one project.

    Attributes:
        whose: name of the network in messages: "MobileFaceNet of Xiaoccer"
        key: the entry of the torch file that holds the weights, if not the top level
        rules: (pattern, replacement): the first pattern that matches the whole name determines the new name
    """

    whose: str
    key: str | None
    rules: Sequence[tuple[str, str]]

    def convert(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Renames the tensors to our names.

        Raises:
            ValueError: a name does not belong to this layout.
        """
        return {self._renamed(name): value for name, value in state.items()}

    def _renamed(self, name: str) -> str:
        for pattern, replacement in self.rules:
            if found := re.fullmatch(pattern, name):
                return found.expand(replacement)
        raise ValueError(f"{name} is no name of a layer in the {self.whose}")


def _xiaoccer() -> list[tuple[str, str]]:
    leaf = r"\.(weight|bias|running_mean|running_var|num_batches_tracked)"
    units = {"conv1": "backbone.stem", "dw_conv1": "backbone.depthwise", "conv2": "backbone.last"}
    rules = []
    for theirs, ours in units.items():
        rules += [
            (rf"{theirs}\.{part}{leaf}", rf"{ours}.{mine}.\1")
            for part, mine in (("conv", "conv"), ("bn", "norm"), ("prelu", "act"))
        ]
    block = [f"{unit}.{part}" for unit in ("expand", "depthwise", "project") for part in ("conv", "norm", "act")]
    rules += [
        (rf"blocks\.(\d+)\.conv\.{index}{leaf}", rf"backbone.blocks.\1.{part}.\2") for index, part in enumerate(block[:-1])
    ]
    head = {"linear7.conv": "depthwise", "linear7.bn": "norm", "linear1.conv": "linear", "linear1.bn": "out"}
    return rules + [(re.escape(theirs) + leaf, rf"head.{ours}.\1") for theirs, ours in head.items()]


LAYOUTS: dict[str, Layout | None] = {
    "own": None,  # facegrid's names, or those of the library that a backbone wraps
    "insightface": Layout(  # head fc_bn; backbone iresnet, which already uses the public names
        "iresnet of InsightFace",
        None,
        [
            (r"bn2\.(\w+)", r"head.norm.\1"),
            (r"fc\.(\w+)", r"head.linear.\1"),
            (r"features\.(\w+)", r"head.out.\1"),
            (r"((?:conv1|bn1|prelu|layer[1-4])\..+)", r"backbone.\1"),
        ],
    ),
    "mobilefacenet_xiaoccer": Layout("MobileFaceNet of Xiaoccer", "net_state_dict", _xiaoccer()),
}
