"""Initializes a network from a weight file provided by the user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from configs.component import LOCATION, Born, Missing
from configs.network_interfaces import BackboneConfig, HeadConfig, PretrainingConfig
from modules.shape_inference import Size, feature_shape, on_meta, title
from modules.weights.files import fit, holder, read, read_first, sha256, under
from modules.weights.layer_names import Names
from modules.weights.layouts import LAYOUTS, Order, recognized

_BACKBONE, _HEAD = "backbone.", "head."  # prefixes in facegrid's model.safetensors


class CheckpointConfig(PretrainingConfig):
    """A safetensors file, or a torch file of tensors and plain values.

    Every weight of the backbone must be in the file with the same shape. Additional weights raise an error if they belong to a
    part that the backbone has (a deeper network of the family), and are ignored otherwise (a classifier).

    Fields:
        path: the file
        prefix: prefix of each name in the file; default: "backbone." for files of facegrid
        key: the entry of a torch file that holds the weights, such as "state_dict"; default: that of the layout
        layout: naming scheme of the file, see ``modules.weights.layouts``; ``auto`` recognizes it by the names. With a layout
            and ``head``, every tensor of the file must be used, except those of the training's classifier
        head: load the head's weights from the file too
        order: color order of the file's first layer, which is turned to RGB; default: that of the layout
    """

    name: Literal["checkpoint"] = "checkpoint"
    path: Annotated[Path, LOCATION]
    prefix: str | None = None
    key: str | None = None
    layout: Annotated[
        Literal["own", "insightface", "mobilefacenet_xiaoccer", "insightface_vit", "adaface", "cvlface", "edgeface", "auto"],
        Born("own"),
    ] = "own"
    head: Annotated[bool, Born(False)] = False
    order: Annotated[Order | None, Born(None)] = None

    @model_validator(mode="after")
    def _head_has_a_name(self) -> Self:
        if self.head and self.layout == "own" and self.prefix is not None:
            raise ValueError(
                f"prefix {self.prefix!r} says where the backbone is, and nothing says where the head is: with head: true leave "
                "prefix out (a file of facegrid's own), or name a layout"
            )
        if self.order is not None and self.layout == "own":
            raise ValueError(f"order {self.order!r} is that of a layout, and these are the names of our own; leave it out")
        return self

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        if self._file.is_file():
            return None
        return Missing(f"checkpoint {self._file} is no file here", "put it there, or set pretraining.path")

    def check(self, backbone: BackboneConfig) -> None:
        """Compares the file's names and shapes with the backbone's.

        Raises:
            ValueError: the file is missing, unreadable or of another network; reports file and key.
        """
        self._of_backbone(backbone, on_meta(backbone), "meta")

    def check_head(self, backbone: BackboneConfig, head: HeadConfig, size: Size) -> None:
        """If ``head`` is true: compares the file with the head built for images of ``size``; raises as ``check``."""
        if self.head:
            with torch.random.fork_rng(devices=[]), torch.device("meta"):
                built = head.build(*feature_shape(backbone, size))
            self._of_head(backbone, head, built, "meta")

    def content(self, backbone: BackboneConfig) -> str | None:
        """SHA-256 (hex) of the file, including the fields that affect how it is read; raises as ``check``."""
        self.check(backbone)
        layout, order = "", ""
        if self.layout != "own":
            name, _ = self._state("meta")
            known = LAYOUTS[name]
            layout = f":{name}"
            order = "" if known is None or self.order in (None, known.order) else f":{self.order}"
        return f"{sha256(self._file)}{layout}{order}{':head' if self.head else ''}"

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads every parameter and buffer of the backbone; raises as ``check``."""
        target, state = self._of_backbone(config, backbone, "cpu")
        target.load_state_dict(state)

    def load_head(self, head: Any, backbone: BackboneConfig, config: HeadConfig) -> None:
        """If ``head`` is true: loads every parameter and buffer of the built head; raises as ``check``."""
        if self.head:
            head.load_state_dict(self._of_head(backbone, config, head, "cpu"))

    @property
    def _file(self) -> Path:
        return self.path.expanduser()

    def _state(self, device: str) -> tuple[str, dict[str, Tensor]]:
        """The file's layout, recognized if it is ``auto``, and its tensors; with a layout without the prefix."""
        if self.layout == "own":
            return "own", read(self._file, self.key, device)
        layout = LAYOUTS.get(self.layout)
        keys = {key: None for one in ([layout] if layout else LAYOUTS.values()) if one is not None for key in one.keys}
        given = read(self._file, self.key, device) if self.key else read_first(self._file, list(keys), device)
        found = under(given, self.prefix or "", self._file)
        if self.layout != "auto":
            return self.layout, found
        try:
            return recognized(found), found
        except ValueError as error:
            raise ValueError(f"{self._file}: {error}") from error

    def _read(self, config: BackboneConfig, device: str) -> tuple[Names | None, dict[str, Tensor]]:
        """The file's tensors, under the names ``backbone.*`` and ``head.*`` if a layout is given, and the architecture."""
        missing = self.missing(config)
        if missing is not None:
            raise ValueError(str(missing))
        name, found = self._state(device)
        layout = LAYOUTS[name]
        if layout is None:
            if self.order is not None:
                raise ValueError(
                    f"{self._file}: its names are those of our own, whose order is RGB; leave pretraining.order out"
                )
            return None, found
        try:
            return layout.convert(found, self.order)
        except ValueError as error:
            raise ValueError(f"{self._file}: {error}") from error

    def _of_backbone(self, config: BackboneConfig, built: Any, device: str) -> tuple[Any, dict[str, Tensor]]:
        """Returns the module to load, and the weights under its names."""
        names, found = self._read(config, device)
        wanted = built.state_dict()
        ours = any(name.startswith(_BACKBONE) for name in found) and not any(name.startswith(_BACKBONE) for name in wanted)
        given = self.prefix if self.layout == "own" else None  # a layout has already removed the prefix
        found = under(found, (_BACKBONE if ours else "") if given is None else given, self._file)
        target = holder(built, found)
        wanted = target.state_dict()
        spare = {name.removeprefix(_BACKBONE) for name in names.training_only} - wanted.keys() if names else set()
        try:
            used = {name: value for name, value in found.items() if name not in spare}
            return target, fit(used, wanted, self._file, dropped=() if names else None)
        except ValueError as error:
            raise ValueError(f"backbone {title(config)}: {error}{_made_for(names)}") from error

    def _of_head(self, backbone: BackboneConfig, config: HeadConfig, built: Any, device: str) -> dict[str, Tensor]:
        names, found = self._read(backbone, device)
        try:
            return fit(under(found, _HEAD, self._file), built.state_dict(), self._file, () if names else None, part="head")
        except ValueError as error:
            raise ValueError(f"head {config.name}: {error}{_made_for(names)}") from error


def _made_for(names: Names | None) -> str:
    return f"; its names are those of {names.network}" if names else ""
