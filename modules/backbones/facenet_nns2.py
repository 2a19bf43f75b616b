"""A network like FaceNet's NNS2, the tiny Inception of 20 million operations (Schroff et al., "FaceNet", CVPR 2015, Fig. 5).

The paper gives the operations but not the layers, so the layers are ours: five Inception modules after a stem of 16, 16 and 32
channels whose first convolution is 5x5. With the ``l2`` head of 128 they need 21.0 million multiply-adds at 140 x 116 pixels,
the paper's input, and 19.6 million at 128 x 128, a square with about as many pixels; a multiply-add is one operation in the
paper, two in ``modules.model_complexity``. They have 0.3 million parameters, the paper's 4.3 million: the number of operations
matches, the number of parameters does not.

Input 128 x 128; the last map is ``inception5a``, (384, 4, 4), followed by the head. Other image sizes work too; the map has
stride 32, rounded up.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.layers.inception import InceptionConfig, Widths


class FaceNetNNS2Config(InceptionConfig):
    """384 channels. ``batch_norm``: after every convolution, instead of its bias."""

    name: Literal["facenet_nns2"] = "facenet_nns2"
    stem = (16, 16, 32)
    first_kernel = 5
    table: ClassVar = {
        "3a": Widths(16, 16, 32, 4, 8, "max", 8),
        "3c": Widths(0, 32, 64, 8, 16, "max", 0, stride=2),
        "4a": Widths(64, 24, 48, 8, 16, "l2", 32),
        "4e": Widths(0, 40, 64, 16, 32, "max", 0, stride=2),
        "5a": Widths(128, 64, 128, 16, 64, "max", 64),
    }
