"""How other projects lay out their weight files, and the conversion to ``backbone.*`` and ``head.*``.

All of these networks take faces aligned to ArcFace's template at 112 x 112 and pixels (x - 127.5) / 127.5, the range of ours,
except for Xiaoccer's. The order of the color channels is part of a layout: where it is BGR, the first layer is turned, so that
the loaded network takes RGB like all of ours. InsightFace (arcface_torch) and EdgeFace train on RGB, AdaFace on BGR. Of CVLFace
the file's configuration says it (``color_space``, by default RGB), and the weights do not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from modules.weights.layer_names import EDGEFACE, IR, IRESNET, VIT, XIAOCCER, Names

Order = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Layout:
    """The layout of one project's files.

    Attributes:
        whose: name of the network in messages: "MobileFaceNet of Xiaoccer"
        architectures: the networks that there are files of
        keys: the entries of a torch file that may hold the weights; None: the top level
        prefixes: of all names of the network's weights; the first one that occurs is removed
        classifier: beginnings of names of the training's classifier, which is not used
        order: of the color channels
    """

    whose: str
    architectures: tuple[Names, ...]
    keys: tuple[str | None, ...] = (None,)
    prefixes: tuple[str, ...] = ("",)
    classifier: tuple[str, ...] = ()
    order: Order = "rgb"

    def architecture(self, names: Collection[str], bare: bool = True) -> tuple[str, Names] | None:
        """The prefix and the architecture of a file with these names, or None; ``bare``: the prefix may be ""."""
        for prefix in self.prefixes:
            for one in self.architectures:
                if (prefix or bare) and prefix + one.mark in names:
                    return prefix, one
        return None

    def convert(self, state: Mapping[str, Tensor], order: Order | None = None) -> tuple[Names, dict[str, Tensor]]:
        """The architecture of a file, and its tensors under our names, for RGB images.

        Args:
            state: the file's tensors
            order: of the color channels; None: that of the layout

        Raises:
            ValueError: the architecture is unknown, or a name does not belong to it.
        """
        found = self.architecture(state)
        prefix, names = found or (self.prefixes[-1], self.architectures[0])
        if found is None and len(self.architectures) > 1:
            marks = ", ".join(self.prefixes[0] + one.mark for one in self.architectures)
            raise ValueError(f"these are no weights of the {self.whose}: none of {marks} is there; first is {_first(state)}")
        own: dict[str, Tensor] = {}
        for name, value in state.items():
            if name.startswith(self.classifier):
                continue
            if not name.startswith(prefix):
                raise ValueError(f"{name} is no name of a layer in the {self.whose}, which begin with {prefix}")
            own[name.removeprefix(prefix)] = value
        named = names.convert(own, self.whose)
        if (order or self.order) == "bgr" and names.first in named:
            named[names.first] = named[names.first].flip(1)
        return names, named


LAYOUTS: dict[str, Layout | None] = {
    "own": None,  # facegrid's names, or those of the library that a backbone wraps
    "insightface": Layout("iresnet of InsightFace", (IRESNET,)),
    "mobilefacenet_xiaoccer": Layout("MobileFaceNet of Xiaoccer", (XIAOCCER,), keys=("net_state_dict",)),
    "insightface_vit": Layout("ViT of InsightFace", (VIT,)),
    "adaface": Layout("IR network of AdaFace", (IR,), ("state_dict", None), ("model.", ""), classifier=("head.",), order="bgr"),
    "cvlface": Layout("networks of CVLFace", (IR, VIT, IRESNET), prefixes=("net.", "model.net.")),
    "edgeface": Layout("EdgeFace", (EDGEFACE,), prefixes=("model.",)),
}


def recognized(names: Collection[str]) -> str:
    """The name of the layout of a file with these names.

    AdaFace's and CVLFace's files are told apart by their prefixes, without which the order of the colors is unknown.

    Raises:
        ValueError: none is known; names the first layer, the known layouts, and what to do.
    """
    for title, layout in LAYOUTS.items():
        ours = layout is None and any(name.startswith("backbone.") for name in names)
        if ours or (layout is not None and layout.architecture(names, bare=len(layout.prefixes) == 1)):
            return title
    known = ", ".join(title for title, layout in LAYOUTS.items() if layout is not None)
    raise ValueError(
        f"no layout is known whose names are like {_first(names)}; known are {known}; name one of them with "
        "pretraining.layout, or give the prefix of the names"
    )


def _first(names: Collection[str]) -> str:
    return next(iter(names), "none at all")
