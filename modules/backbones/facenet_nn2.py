"""FaceNet's NN2, an Inception network (Schroff et al., "FaceNet", CVPR 2015, Table 2).

Input 224 x 224; the last map is ``inception5b``, (1024, 7, 7); the head starts with the global average pooling: with the ``l2``
head of 128 the network has 7.5 million parameters and 1.6 billion multiply-adds (a multiply-add is one operation in the paper,
two in ``modules.model_complexity``). L2 pooling is the root mean square; the paper does not specify whether it is mean or sum.
Other image sizes work too; the map has stride 32, rounded up.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.layers.inception import InceptionConfig, Widths


class FaceNetNN2Config(InceptionConfig):
    """1024 channels. ``batch_norm``: after every convolution, instead of its bias; the paper has none."""

    name: Literal["facenet_nn2"] = "facenet_nn2"
    stem = (64, 64, 192)
    table: ClassVar = {
        "3a": Widths(64, 96, 128, 16, 32, "max", 32),
        "3b": Widths(64, 96, 128, 32, 64, "l2", 64),
        "3c": Widths(0, 128, 256, 32, 64, "max", 0, stride=2),
        "4a": Widths(256, 96, 192, 32, 64, "l2", 128),
        "4b": Widths(224, 112, 224, 32, 64, "l2", 128),
        "4c": Widths(192, 128, 256, 32, 64, "l2", 128),
        "4d": Widths(160, 144, 288, 32, 64, "l2", 128),
        "4e": Widths(0, 160, 256, 64, 128, "max", 0, stride=2),
        "5a": Widths(384, 192, 384, 48, 128, "l2", 128),
        "5b": Widths(384, 192, 384, 48, 128, "max", 128),
    }
