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
from modules.weights.files import fit, holder, read, sha256, under
from modules.weights.layouts import LAYOUTS

_BACKBONE, _HEAD = "backbone.", "head."  # prefixes in facegrid's model.safetensors


class CheckpointConfig(PretrainingConfig):
    """A safetensors file, or a torch file of tensors and plain values.

    Every weight of the backbone must be in the file with the same shape. Additional weights raise an error if they belong to a
    part that the backbone has (a deeper network of the family), and are ignored otherwise (a classifier).

    Fields:
        path: the file
        prefix: prefix of each name in the file; default: "backbone." for files of facegrid
        key: the entry of a torch file that holds the weights, such as "state_dict"; default: that of the layout
        layout: naming scheme of the file; see ``modules.weights.layouts``
        head: load the head's weights from the file too
    """

    name: Literal["checkpoint"] = "checkpoint"
    path: Annotated[Path, LOCATION]
    prefix: str | None = None
    key: str | None = None
    layout: Annotated[Literal["own", "insightface", "mobilefacenet_xiaoccer"], Born("own")] = "own"
    head: Annotated[bool, Born(False)] = False

    @model_validator(mode="after")
    def _head_has_a_name(self) -> Self:
        if self.head and self.layout == "own" and self.prefix is not None:
            raise ValueError(
                f"prefix {self.prefix!r} says where the backbone is, and nothing says where the head is: with head: true leave "
                "prefix out (a file of facegrid's own), or name a layout"
            )
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
        layout = "" if self.layout == "own" else f":{self.layout}"
        return f"{sha256(self._file)}{layout}{':head' if self.head else ''}"

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

    def _read(self, config: BackboneConfig, device: str) -> dict[str, Tensor]:
        """The file's tensors; renamed to ``backbone.*`` and ``head.*`` if a layout is given."""
        missing = self.missing(config)
        if missing is not None:
            raise ValueError(str(missing))
        layout = LAYOUTS[self.layout]
        if layout is None:
            return read(self._file, self.key, device)
        found = under(read(self._file, self.key or layout.key, device), self.prefix or "", self._file)
        try:
            return layout.convert(found)
        except ValueError as error:
            raise ValueError(f"{self._file}: {error}") from error

    def _of_backbone(self, config: BackboneConfig, built: Any, device: str) -> tuple[Any, dict[str, Tensor]]:
        """Returns the module to load, and the weights under its names."""
        found = self._read(config, device)
        wanted = built.state_dict()
        ours = any(name.startswith(_BACKBONE) for name in found) and not any(name.startswith(_BACKBONE) for name in wanted)
        given = self.prefix if self.layout == "own" else None  # a layout has already removed the prefix
        found = under(found, (_BACKBONE if ours else "") if given is None else given, self._file)
        target = holder(built, found)
        try:
            return target, fit(found, target.state_dict(), self._file)
        except ValueError as error:
            raise ValueError(f"backbone {title(config)}: {error}") from error

    def _of_head(self, backbone: BackboneConfig, config: HeadConfig, built: Any, device: str) -> dict[str, Tensor]:
        found = under(self._read(backbone, device), _HEAD, self._file)
        try:
            return fit(found, built.state_dict(), self._file, part="head")
        except ValueError as error:
            raise ValueError(f"head {config.name}: {error}") from error
