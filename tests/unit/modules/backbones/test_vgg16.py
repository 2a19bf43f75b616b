"""VGG-16 against torchvision's."""

import pytest
import torch
from torch import nn

from modules.backbones.vgg16 import VGG16Config
from modules.shape_inference import feature_shape, forward_pass, on_meta, stage_shapes


def _peer() -> nn.Module:
    from torchvision.models import vgg16

    with torch.device("meta"):  # the classifier alone would take 490 MB
        return vgg16(weights=None).features


def test_with_the_same_weights_it_equals_torchvision() -> None:
    peer = _peer().to_empty(device="cpu").eval()
    torch.manual_seed(0)
    ours = VGG16Config().build()
    peer.load_state_dict(ours.features.state_dict())
    images = torch.rand(1, 3, 64, 48) * 2 - 1
    assert torch.equal(ours(images), peer(images))


def test_it_has_torchvisions_parameters() -> None:
    found = sum(value.numel() for value in on_meta(VGG16Config()).parameters())
    assert found == sum(value.numel() for value in _peer().parameters()) == 14_714_688


def test_fresh_weights_are_drawn_as_torchvision_draws_them() -> None:
    torch.manual_seed(0)
    ours = VGG16Config().build()
    for layer in ours.features:
        if isinstance(layer, nn.Conv2d):
            wanted = (2 / (layer.out_channels * 9)) ** 0.5
            assert layer.weight.std().item() == pytest.approx(wanted, rel=0.05)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_stages_end_with_the_last_pooling() -> None:
    shapes = stage_shapes(VGG16Config(), 224)
    assert list(shapes)[:3] == ["relu1_1", "relu1_2", "pool1"]
    assert list(shapes)[-2:] == ["relu5_3", "pool5"]
    assert [shape for name, shape in shapes.items() if name.startswith("pool")] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
        (512, 7, 7),
    ]
    assert forward_pass(VGG16Config(), 224).flops / 2e9 == pytest.approx(15.35, abs=0.01)


def test_the_smallest_image_has_32_pixels() -> None:
    assert feature_shape(VGG16Config(), 32) == (512, 1, 1)
    with pytest.raises(ValueError, match=r"vgg16 cannot take images of 31 x 31 .*smallest that it takes is 32 x 32"):
        feature_shape(VGG16Config(), 31)


def test_imagenet_weights_are_those_of_torchvision() -> None:
    from torchvision.models import VGG16_Weights

    pinned = VGG16Config().weights_of("imagenet")
    assert pinned is not None
    assert pinned.file == VGG16_Weights.IMAGENET1K_V1.url.split("/")[-1] == f"vgg16-{pinned.sha256}.pth"
    assert pinned.files()[0].name == pinned.file
    assert VGG16_Weights.IMAGENET1K_V1.url in pinned.how
    assert VGG16Config().weights_of("other") is None


def test_published_face_weights_are_known() -> None:
    pinned = VGG16Config().weights_of("vggface")
    assert pinned is not None
    assert pinned.dropped == ("fc6", "fc7", "fc8")
    assert pinned.files()[0].name == pinned.file == "vgg_face_dag.pth"


def test_the_border_of_vggface_is_its_mean_colour() -> None:
    border = VGG16Config(border="vggface_mean").build().border
    assert border is not None
    pixels = [round((value + 1) / 2 * 255, 4) for value in border]
    assert pixels == [129.1863, 104.7624, 93.594]
    assert VGG16Config().build().border is None
