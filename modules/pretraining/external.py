"""The weights are in the file of the backbone ``external`` or ``stored``; its content identifies the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from configs.component import Missing
from configs.network_interfaces import BackboneConfig, PretrainingConfig
from modules.backbones.external import ExternalConfig, check_script
from modules.backbones.scored import ScoredConfig, read_scores
from modules.backbones.stored import StoredConfig, read_embeddings
from modules.shape_inference import title
from modules.weights.files import sha256
from modules.weights.onnx_files import inspect

FILES = (ExternalConfig, StoredConfig, ScoredConfig)


class ExternalWeightsConfig(PretrainingConfig):
    """Has no settings: ``backbone.path`` names the file."""

    name: Literal["external"] = "external"

    def impossible(self, backbone: BackboneConfig) -> str | None:
        if not isinstance(backbone, FILES):
            return (
                f"pretraining external is for backbones external, stored and scored, which are files; found {title(backbone)}"
            )
        return None

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        path = self._file(backbone)
        return None if path.is_file() else Missing(f"network {path} is no file here", "put it there, or set backbone.path")

    def check(self, backbone: BackboneConfig) -> None:
        """Checks an ONNX file as ``onnx_files.inspect``, embeddings, scores, and TorchScript as ``check_script``.

        Raises:
            ValueError: the file is missing or rejected.
        """
        self.content(backbone)
        if isinstance(backbone, ExternalConfig) and not backbone.is_onnx:
            check_script(backbone)

    def content(self, backbone: BackboneConfig) -> str | None:
        """SHA-256 (hex) of the file and of its external data; raises as ``check``."""
        path = self._file(backbone)
        if missing := self.missing(backbone):
            raise ValueError(str(missing))
        if isinstance(backbone, StoredConfig):
            read_embeddings(path)
        if isinstance(backbone, ScoredConfig):
            read_scores(path)
        return inspect(path).digest if isinstance(backbone, ExternalConfig) and backbone.is_onnx else sha256(path)

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads nothing: the backbone opens its file itself. Raises as ``check``."""
        self.check(config)

    def _file(self, backbone: BackboneConfig) -> Path:
        if reason := self.impossible(backbone):
            raise ValueError(reason)
        assert isinstance(backbone, FILES)
        return backbone.path
