"""VGG-19 against torchvision's."""

import pytest
import torch
from torch import nn

from modules.backbones.vgg19 import VGG19Config
from modules.shape_inference import feature_shape, forward_pass, on_meta, stage_shapes


def _peer() -> nn.Module:
    from torchvision.models import vgg19

    with torch.device("meta"):  # the classifier alone would take 490 MB
        return vgg19(weights=None).features


def test_with_the_same_weights_it_equals_torchvision() -> None:
    peer = _peer().to_empty(device="cpu").eval()
    torch.manual_seed(0)
    ours = VGG19Config().build()
    peer.load_state_dict(ours.features.state_dict())
    images = torch.rand(1, 3, 64, 48) * 2 - 1
    assert torch.equal(ours(images), peer(images))


def test_it_has_torchvisions_parameters() -> None:
    found = sum(value.numel() for value in on_meta(VGG19Config()).parameters())
    assert found == sum(value.numel() for value in _peer().parameters()) == 20_024_384


def test_fresh_weights_are_drawn_as_torchvision_draws_them() -> None:
    torch.manual_seed(0)
    ours = VGG19Config().build()
    for layer in ours.features:
        if isinstance(layer, nn.Conv2d):
            wanted = (2 / (layer.out_channels * 9)) ** 0.5
            assert layer.weight.std().item() == pytest.approx(wanted, rel=0.05)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_stages_end_with_the_last_pooling() -> None:
    shapes = stage_shapes(VGG19Config(), 224)
    assert list(shapes)[:3] == ["relu1_1", "relu1_2", "pool1"]
    assert list(shapes)[-2:] == ["relu5_4", "pool5"]
    assert [shape for name, shape in shapes.items() if name.startswith("pool")] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
        (512, 7, 7),
    ]
    assert forward_pass(VGG19Config(), 224).flops / 2e9 == pytest.approx(19.51, abs=0.01)


def test_the_smallest_image_has_32_pixels() -> None:
    assert feature_shape(VGG19Config(), 32) == (512, 1, 1)
    with pytest.raises(ValueError, match=r"vgg19 cannot take images of 31 x 31 .*smallest that it takes is 32 x 32"):
        feature_shape(VGG19Config(), 31)


def test_imagenet_weights_are_those_of_torchvision() -> None:
    from torchvision.models import VGG19_Weights

    pinned = VGG19Config().weights_of("imagenet")
    assert pinned is not None
    assert pinned.file == VGG19_Weights.IMAGENET1K_V1.url.split("/")[-1] == f"vgg19-{pinned.sha256}.pth"
    assert pinned.files()[0].name == pinned.file
    assert VGG19_Weights.IMAGENET1K_V1.url in pinned.how
    assert VGG19Config().weights_of("other") is None


def test_nobody_published_face_weights_for_it() -> None:
    assert VGG19Config().weights_of("vggface") is None
