"""Inception-ResNet-v1 against facenet-pytorch's."""

from pathlib import Path

import pytest
import torch

from modules.backbones.inception_resnet_v1 import InceptionResNetV1Config
from modules.pretraining.checkpoint import CheckpointConfig as Checkpoint
from modules.shape_inference import feature_shape


def test_with_the_same_weights_it_equals_facenet_pytorch_up_to_the_last_block(tmp_path: Path) -> None:
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    torch.manual_seed(0)
    peer = InceptionResnetV1(pretrained=None, classify=True, num_classes=3).eval()
    torch.save(peer.state_dict(), tmp_path / "20180402-114759-vggface2.pt")
    ours = InceptionResNetV1Config().build()
    Checkpoint(path=tmp_path / "20180402-114759-vggface2.pt").load(ours, InceptionResNetV1Config(), None)
    maps: list[torch.Tensor] = []
    peer.block8.register_forward_hook(lambda *call: maps.append(call[2]))
    images = torch.rand(1, 3, 96, 80) * 2 - 1
    with torch.no_grad():
        peer(images)
        assert torch.equal(ours.eval()(images), maps[0])
    after = sum(value.numel() for part in (peer.last_linear, peer.last_bn, peer.logits) for value in part.parameters())
    assert sum(value.numel() for value in ours.parameters()) == sum(value.numel() for value in peer.parameters()) - after


def test_the_map_at_the_sizes_in_use() -> None:
    assert feature_shape(InceptionResNetV1Config(), 160) == (1792, 3, 3)
    assert feature_shape(InceptionResNetV1Config(), 299) == (1792, 8, 8)


def test_a_size_that_is_too_small_is_named_with_the_smallest_that_works() -> None:
    with pytest.raises(ValueError, match=r"inception_resnet_v1 cannot take images of 64 x 64 .*takes is 75 x 75"):
        feature_shape(InceptionResNetV1Config(), 64)
