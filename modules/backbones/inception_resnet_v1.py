"""Inception-ResNet-v1 (Szegedy et al., AAAI 2017) as in facenet-pytorch, up to its last block.

Layer names are facenet-pytorch's, so that ``checkpoint`` pretraining reads its published files (VGGFace2, CASIA-WebFace); their
pooling, linear layer, normalization and classifier are omitted. Nothing is downloaded.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import pure, remove

_LAYERS = (
    *("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "conv2d_4b"),
    *("repeat_1", "mixed_6a", "repeat_2", "mixed_7a", "repeat_3", "block8"),
)
_STAGES = ("conv2d_2b", "conv2d_4a", "repeat_1", "repeat_2", "repeat_3", "block8")
_AFTER = ("avgpool_1a", "dropout", "last_linear", "last_bn")


class InceptionResNetV1Config(BackboneConfig):
    """Designed for 160 x 160, where the map is 1792 x 3 x 3 (8 x 8 at 299); the smallest image side is 75 pixels.

    The head follows ``block8``, whose output is linear, with values of both signs.
    """

    name: Literal["inception_resnet_v1"] = "inception_resnet_v1"

    def build(self) -> InceptionResNetV1:
        from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

        body = InceptionResnetV1(pretrained=None)
        remove(body, _AFTER)
        return InceptionResNetV1(body)


class InceptionResNetV1(nn.Module):
    """facenet-pytorch's network as ``body``, run up to its last block."""

    channels = 1792

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = pure(body)

    def stages(self) -> dict[str, nn.Module]:
        """The last convolution at each early resolution, the three repeated groups, and block8, which is the feature map."""
        return {name: self.body.get_submodule(name) for name in _STAGES}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 1792, h, w)."""
        features = images
        for name in _LAYERS:
            features = self.body.get_submodule(name)(features)
        return features
