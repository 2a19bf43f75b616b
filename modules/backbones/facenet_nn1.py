"""FaceNet's NN1: the network of Zeiler and Fergus with 1x1 convolutions (Schroff et al., "FaceNet", CVPR 2015, Table 1).

Eleven convolutions, two response normalizations, four poolings, one concatenation; then the three fully connected layers and
the L2 normalization of the ``facenet_maxout`` head. With it the network has 140,025,664 parameters and 1.61 billion
multiply-adds, and matches every row of the paper's table. The paper counts a multiply-add, and a bias, as ONE operation;
``modules.model_complexity`` counts a multiply-add as two, and no biases.

Input 220 x 220; the last map is ``concat``, (256, 7, 7), followed by the head. The table lists a single input of the
concatenation, so here it is the identity. Other image sizes work too; the map has stride 32, rounded up.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import nn

from configs.network_interfaces import BackboneConfig
from modules.layers.facenet import FaceNetBackbone, ResponseNorm, convolution, max_pool


class FaceNetNN1Config(BackboneConfig):
    """256 channels. ``batch_norm``: after every convolution, instead of its bias; the paper has none."""

    name: Literal["facenet_nn1"] = "facenet_nn1"
    batch_norm: bool = False

    def build(self) -> FaceNetBackbone:
        conv = partial(convolution, batch_norm=self.batch_norm)
        layers = {
            "conv1": conv(3, 64, 7, stride=2),
            "pool1": max_pool(),
            "rnorm1": ResponseNorm(),
            "conv2a": conv(64, 64, 1),
            "conv2": conv(64, 192, 3),
            "rnorm2": ResponseNorm(),
            "pool2": max_pool(),
            "conv3a": conv(192, 192, 1),
            "conv3": conv(192, 384, 3),
            "pool3": max_pool(),
            "conv4a": conv(384, 384, 1),
            "conv4": conv(384, 256, 3),
            "conv5a": conv(256, 256, 1),
            "conv5": conv(256, 256, 3),
            "conv6a": conv(256, 256, 1),
            "conv6": conv(256, 256, 3),
            "pool4": max_pool(),
            "concat": nn.Identity(),
        }
        return FaceNetBackbone(layers, 256)
