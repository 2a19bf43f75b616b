"""A network like FaceNet's NNS1, the small Inception of 220 million operations (Schroff et al., "FaceNet", CVPR 2015, Fig. 5).

The paper gives the operations but not the layers, so the layers are ours: the modules of NN2 at half their width, after a stem
of 32, 16 and 64 channels. At 165 x 165 pixels, the paper's input, and with the ``l2`` head of 128, they need 221.5 million
multiply-adds; a multiply-add is one operation in the paper, two in ``modules.model_complexity``. They have 1.9 million
parameters, the paper's 26 million: the number of operations matches, the number of parameters does not.

Input 165 x 165; the last map is ``inception5b``, (512, 6, 6), followed by the head. Other image sizes work too; the map has
stride 32, rounded up.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.layers.inception import InceptionConfig, Widths


class FaceNetNNS1Config(InceptionConfig):
    """512 channels. ``batch_norm``: after every convolution, instead of its bias."""

    name: Literal["facenet_nns1"] = "facenet_nns1"
    stem = (32, 16, 64)
    table: ClassVar = {
        "3a": Widths(32, 48, 64, 8, 16, "max", 16),
        "3b": Widths(32, 48, 64, 16, 32, "l2", 32),
        "3c": Widths(0, 64, 128, 16, 32, "max", 0, stride=2),
        "4a": Widths(128, 48, 96, 16, 32, "l2", 64),
        "4b": Widths(112, 56, 112, 16, 32, "l2", 64),
        "4c": Widths(96, 64, 128, 16, 32, "l2", 64),
        "4d": Widths(80, 72, 144, 16, 32, "l2", 64),
        "4e": Widths(0, 80, 128, 32, 64, "max", 0, stride=2),
        "5a": Widths(192, 96, 192, 24, 64, "l2", 64),
        "5b": Widths(192, 96, 192, 24, 64, "max", 64),
    }
