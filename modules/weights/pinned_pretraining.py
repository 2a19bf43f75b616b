"""Base of the pretrainings that load published weights, pinned by name for each backbone. Never downloads anything."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from configs.network_interfaces import BackboneConfig, PretrainingConfig
from modules.shape_inference import on_meta
from modules.weights.files import fit, holder, read
from modules.weights.published import PinnedWeights


class PinnedPretraining(PretrainingConfig):
    """Finds the file of a backbone's weights, checks it and loads it."""

    @abstractmethod
    def places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        """The paths where the file may be, the preferred one first."""

    def converted(self, state: dict[str, Any]) -> dict[str, Any]:
        """The tensors to load, made of those of the file under the backbone's names."""
        return state

    def check(self, backbone: BackboneConfig) -> None:
        """Compares the file's names and shapes with the backbone's.

        Raises:
            ValueError: the file is missing, damaged or of another network, or there are no weights of this backbone; reports
                file and key.
        """
        self._state(backbone, holder(on_meta(backbone), ()), "meta")

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads every parameter and buffer of the backbone (for abn: of its inner backbone); raises as ``check``."""
        target = holder(backbone, ())
        target.load_state_dict(self._state(config, target, "cpu"))

    def pinned(self, backbone: BackboneConfig) -> PinnedWeights:
        """The weights of the backbone; raises ValueError if there are none."""
        pinned = backbone.weights_of(self.name)
        if pinned is None:
            raise ValueError(
                f"pretraining {self.name}: {self.impossible(backbone)}; choose another pretraining, or skip the cell"
            )
        assert isinstance(pinned, PinnedWeights), f"weights_of gave {type(pinned).__name__}"
        return pinned

    def file(self, backbone: BackboneConfig) -> Path:
        """The first of ``places`` that exists; raises as ``check``."""
        missing = self.missing(backbone)
        if missing is not None:
            raise ValueError(str(missing))
        return next(place for place in self.places(self.pinned(backbone)) if place.is_file())

    def _state(self, config: BackboneConfig, built: Any, device: str) -> dict[str, Any]:
        pinned, path = self.pinned(config), self.file(config)
        found = read(path, device=device)
        try:
            named = pinned.convert(found)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return self.converted(fit(named, built.state_dict(), path, dropped=pinned.dropped))
