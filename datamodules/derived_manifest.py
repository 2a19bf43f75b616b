"""The manifest of a dataset that is computed from another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from configs.data_interfaces import Manifest as AnyManifest
from datamodules.manifest import Manifest


@dataclass(frozen=True)
class DerivedManifest(Manifest):
    """Attributes:
    source: the manifest of the original images
    """

    source: Any = None

    @property
    def original(self) -> AnyManifest:
        found: AnyManifest = self.source
        return found
