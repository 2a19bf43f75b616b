"""Initializes a network from published ImageNet weights, pinned by name for each backbone. Never downloads anything.

Inputs stay in [-1, 1], regardless of the normalization the weights were trained with, as in Ito et al. (2021); each backbone's
file documents that normalization.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from configs.component import LOCATION, Missing
from configs.network_interfaces import BackboneConfig
from modules.shape_inference import title
from modules.weights.files import sha256
from modules.weights.pinned_pretraining import PinnedPretraining
from modules.weights.published import PinnedWeights


class ImageNetConfig(PinnedPretraining):
    """Searches ``weights_dir`` first, then the caches of torch hub and Hugging Face and installed packages."""

    name: Literal["imagenet"] = "imagenet"
    weights_dir: Annotated[Path | None, LOCATION] = None

    def impossible(self, backbone: BackboneConfig) -> str | None:
        if backbone.weights_of("imagenet") is None:
            return f"no pinned ImageNet weights for {title(backbone)}"
        return None

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        pinned = self.pinned(backbone)
        places = self.places(pinned)
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

    def content(self, backbone: BackboneConfig) -> str | None:
        """ "<tag>:<SHA-256 of the file>"; raises as ``check``."""
        self.check(backbone)
        return f"{self.pinned(backbone).tag}:{sha256(self.file(backbone))}"

    def places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        own = () if self.weights_dir is None else (self.weights_dir.expanduser() / pinned.file,)
        return (*own, *pinned.files())
