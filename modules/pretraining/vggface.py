"""Initialises a VGG-16 from the published weights of VGG-Face (Parkhi et al., "Deep Face Recognition", BMVC 2015).

The user provides the file; nothing is downloaded. Its first layer is converted to our pixel range (see ``vggface_weights``).
With ``border: vggface_mean`` in the backbone the features equal those of the published network at every location; with the
default, the outermost ring of the first layer's output differs, because it is padded with mid-grey instead of the mean face
colour.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from configs.component import LOCATION, Missing
from configs.interfaces import BackboneConfig, PretrainingConfig
from modules.shape_inference import on_meta, title
from modules.weights.files import fit, holder, read, sha256
from modules.weights.published import PinnedWeights
from modules.weights.vggface import Order, for_our_pixels


class VGGFaceConfig(PretrainingConfig):
    """A safetensors file, or a torch file of tensors and plain values, with the names conv1_1.weight ... fc8.bias.

    Fields:
        path: the file; default: Oxford's ``vgg_face_dag.pth`` in the torch hub cache
        order: colour order of the file's first layer, which the file does not record. ``rgb``: ``vgg_face_dag.pth`` and other
            files converted from Oxford's MatConvNet model. ``bgr``: files converted from the Caffe or the Torch7 model
    """

    name: Literal["vggface"] = "vggface"
    path: Annotated[Path | None, LOCATION] = None
    order: Order = "rgb"

    def impossible(self, backbone: BackboneConfig) -> str | None:
        if backbone.weights_of("vggface") is None:
            return f"VGG-Face is a VGG-16: its weights are none for {title(backbone)}"
        return None

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        pinned = self._pinned(backbone)
        places = self._places(pinned)
        if any(place.is_file() for place in places):
            return None
        return Missing(f"VGG-Face weights are not there (looked at {', '.join(map(str, places))})", pinned.how)

    def check(self, backbone: BackboneConfig) -> None:
        """Compares the file's names and shapes with the backbone's.

        Raises:
            ValueError: the file is missing, unreadable or of another network, or the backbone is not VGG-16; reports file and
                key.
        """
        self._state(backbone, holder(on_meta(backbone), ()), "meta")

    def content(self, backbone: BackboneConfig) -> str | None:
        """SHA-256 (hex) of the file and its colour order; raises as ``check``."""
        self.check(backbone)
        return f"{sha256(self._file(backbone))}:{self.order}"

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads every parameter of the backbone (for abn: of its inner backbone); raises as ``check``."""
        target = holder(backbone, ())
        target.load_state_dict(self._state(config, target, "cpu"))

    def _state(self, config: BackboneConfig, built: Any, device: str) -> dict[str, Any]:
        pinned = self._pinned(config)
        path = self._file(config)
        found = read(path, device=device)
        try:
            named = pinned.convert(found)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return for_our_pixels(fit(named, built.state_dict(), path, dropped=pinned.dropped), self.order)

    def _file(self, backbone: BackboneConfig) -> Path:
        missing = self.missing(backbone)
        if missing is not None:
            raise ValueError(str(missing))
        return next(place for place in self._places(self._pinned(backbone)) if place.is_file())

    def _pinned(self, backbone: BackboneConfig) -> PinnedWeights:
        pinned = backbone.weights_of("vggface")
        if pinned is None:
            raise ValueError(f"pretraining vggface: {self.impossible(backbone)}; choose another pretraining, or skip the cell")
        assert isinstance(pinned, PinnedWeights), f"weights_of gave {type(pinned).__name__}"
        return pinned

    def _places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        return pinned.files() if self.path is None else (self.path.expanduser(),)
