"""Initialises a network from published ImageNet weights, pinned by name for each backbone. Never downloads anything.

Inputs stay in [-1, 1], regardless of the normalisation the weights were trained with, as in Ito et al. (2021); each backbone's
file documents that normalisation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from configs.component import LOCATION, Missing
from configs.interfaces import BackboneConfig, PretrainingConfig
from modules.shape_inference import on_meta, title
from modules.weights.files import fit, holder, read, sha256
from modules.weights.published import PinnedWeights


class ImageNetConfig(PretrainingConfig):
    """Searches ``weights_dir`` first, then the caches of torch hub and Hugging Face and installed packages."""

    name: Literal["imagenet"] = "imagenet"
    weights_dir: Annotated[Path | None, LOCATION] = None

    def impossible(self, backbone: BackboneConfig) -> str | None:
        if backbone.weights_of("imagenet") is None:
            return f"no pinned ImageNet weights for {title(backbone)}"
        return None

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        pinned = self._pinned(backbone)
        places = self._places(pinned)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            looked = ", ".join(map(str, places)) or "no place at all: its package is not installed"
            return Missing(
                f"ImageNet weights {pinned.tag} for {title(backbone)} are not there (looked at {looked})", pinned.how
            )
        if not sha256(path).startswith(pinned.sha256):
            found = sha256(path)[: len(pinned.sha256)]
            return Missing(f"{path} is damaged: its SHA-256 starts with {found}, not {pinned.sha256}", pinned.how)
        return None

    def check(self, backbone: BackboneConfig) -> None:
        """Compares the file's names and shapes with the backbone's.

        Raises:
            ValueError: the file is missing, damaged or of another network; reports file and key.
        """
        self._state(backbone, holder(on_meta(backbone), ()), "meta")

    def content(self, backbone: BackboneConfig) -> str | None:
        """ "<tag>:<SHA-256 of the file>"; raises as ``check``."""
        self.check(backbone)
        pinned = self._pinned(backbone)
        return f"{pinned.tag}:{sha256(self._file(backbone, pinned))}"

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads every parameter and buffer of the backbone (for abn: of its inner backbone); raises as ``check``."""
        target = holder(backbone, ())
        target.load_state_dict(self._state(config, target, "cpu"))

    def _state(self, config: BackboneConfig, built: Any, device: str) -> dict[str, Any]:
        pinned = self._pinned(config)
        path = self._file(config, pinned)
        found = read(path, device=device)
        try:
            named = pinned.convert(found)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return fit(named, built.state_dict(), path, dropped=pinned.dropped)

    def _file(self, backbone: BackboneConfig, pinned: PinnedWeights) -> Path:
        missing = self.missing(backbone)
        if missing is not None:
            raise ValueError(str(missing))
        return next(place for place in self._places(pinned) if place.is_file())

    def _pinned(self, backbone: BackboneConfig) -> PinnedWeights:
        pinned = backbone.weights_of("imagenet")
        if pinned is None:
            raise ValueError(f"pretraining imagenet: {self.impossible(backbone)}; choose another pretraining, or skip the cell")
        assert isinstance(pinned, PinnedWeights), f"weights_of gave {type(pinned).__name__}"
        return pinned

    def _places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        own = () if self.weights_dir is None else (self.weights_dir.expanduser() / pinned.file,)
        return (*own, *pinned.files())
