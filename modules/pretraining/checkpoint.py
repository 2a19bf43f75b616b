"""Training starts from the weights in a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from configs.component import LOCATION, Missing
from configs.kinds import BackboneConfig, PretrainingConfig
from modules.shapes import on_meta, title
from modules.weight_files import fit, read, sha256, under

_OURS = "backbone."  # where facegrid's own model.safetensors keeps the backbone


class Config(PretrainingConfig):
    """A safetensors file, or a torch file of tensors and plain values.

    Every weight of the backbone must be in the file with its shape. What the file has besides is refused where it belongs to a
    part that the backbone has (a deeper network of the family), and left out otherwise (a classifier).

    Fields:
        path: the file
        prefix: what stands before each name in the file; left out, "backbone." is taken off a file of facegrid's own
        key: the entry of a torch file that holds the weights, such as "state_dict"
    """

    name: Literal["checkpoint"] = "checkpoint"
    path: Annotated[Path, LOCATION]
    prefix: str | None = None
    key: str | None = None

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        if self._file.is_file():
            return None
        return Missing(f"checkpoint {self._file} is no file here", "put it there, or set pretraining.path")

    def check(self, backbone: BackboneConfig) -> None:
        """Compares the file's names and shapes with the backbone's.

        Raises:
            ValueError: the file is missing, unreadable or of another network; names file and key.
        """
        self._state(backbone, on_meta(backbone), "meta")

    def content(self, backbone: BackboneConfig) -> str | None:
        """SHA-256 (hex) of the file; errors as ``check``."""
        self.check(backbone)
        return sha256(self._file)

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Fills every parameter and buffer of the backbone; errors as ``check``."""
        backbone.load_state_dict(self._state(config, backbone, "cpu"))

    @property
    def _file(self) -> Path:
        return self.path.expanduser()

    def _state(self, config: BackboneConfig, built: Any, device: str) -> dict[str, Any]:
        missing = self.missing(config)
        if missing is not None:
            raise ValueError(str(missing))
        found = read(self._file, self.key, device)
        wanted = built.state_dict()
        ours = any(name.startswith(_OURS) for name in found) and not any(name.startswith(_OURS) for name in wanted)
        prefix = (_OURS if ours else "") if self.prefix is None else self.prefix
        try:
            return fit(under(found, prefix, self._file), wanted, self._file)
        except ValueError as error:
            raise ValueError(f"backbone {title(config)}: {error}") from error
