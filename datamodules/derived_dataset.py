"""A dataset whose images are computed from those of another one, ``data``, with the same identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from configs.data_interfaces import DatasetConfig, Progress
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
        return self.source


class DerivedDatasetConfig(DatasetConfig):
    """Asks ``data``, which a subclass has as a field or property, for all that does not depend on the pixels."""

    def derived(self, original: AnyManifest) -> Any:
        """The ``DerivedManifest`` of the images computed from those of ``original``."""
        raise NotImplementedError

    @property
    def _inner(self) -> Any:
        return self.data  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _same_policies(self) -> Self:
        for key in ("on_bad_image", "on_identity_conflict"):
            mine, inner = getattr(self, key), getattr(self._inner, key)
            if mine != inner:
                raise ValueError(
                    f"{key} is {mine}, and that of its dataset {self._inner.name} is {inner}; set both to the same"
                )
        return self

    @property
    def namespace(self) -> str:
        return str(self._inner.namespace)

    @property
    def identified(self) -> bool:  # type: ignore[override]  # that of another dataset, which only an object knows
        return bool(self._inner.identified)

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        return self._inner.names(identities)

    def left_out(self) -> dict[str, str]:
        return dict(self._inner.left_out())

    def repairs(self) -> str:
        return str(self._inner.repairs())

    def manifest(self, cache: Path) -> Any:
        found = self._inner.manifest(cache)
        return None if found is None else self.derived(found)

    def scan(self, cache: Path, progress: Progress | None = None) -> Any:
        return self.derived(self._inner.scan(cache, progress))
