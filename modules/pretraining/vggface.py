"""Initializes a VGG-16 from the published weights of VGG-Face (Parkhi et al., "Deep Face Recognition", BMVC 2015).

The user provides the file; nothing is downloaded. Its first layer is converted to our pixel range (see ``vggface_weights``).
With ``border: vggface_mean`` in the backbone the features equal those of the published network at every location; with the
default, the outermost ring of the first layer's output differs, because it is padded with mid-gray instead of the mean face
color.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from configs.component import LOCATION, Missing
from configs.network_interfaces import BackboneConfig
from modules.shape_inference import title
from modules.weights.files import sha256
from modules.weights.pinned_pretraining import PinnedPretraining
from modules.weights.published import PinnedWeights
from modules.weights.vggface import Order, for_our_pixels


class VGGFaceConfig(PinnedPretraining):
    """A safetensors file, or a torch file of tensors and plain values, with the names conv1_1.weight ... fc8.bias.

    Fields:
        path: the file; default: Oxford's ``vgg_face_dag.pth`` in the torch hub cache
        order: color order of the file's first layer, which the file does not record. ``rgb``: ``vgg_face_dag.pth`` and other
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
        pinned = self.pinned(backbone)
        places = self.places(pinned)
        if any(place.is_file() for place in places):
            return None
        return Missing(f"VGG-Face weights are not there (looked at {', '.join(map(str, places))})", pinned.how)

    def content(self, backbone: BackboneConfig) -> str | None:
        """SHA-256 (hex) of the file and its color order; raises as ``check``."""
        self.check(backbone)
        return f"{sha256(self.file(backbone))}:{self.order}"

    def converted(self, state: dict[str, Any]) -> dict[str, Any]:
        """See ``vggface.for_our_pixels``."""
        return for_our_pixels(state, self.order)

    def places(self, pinned: PinnedWeights) -> tuple[Path, ...]:
        return pinned.files() if self.path is None else (self.path.expanduser(),)
