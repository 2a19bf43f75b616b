"""SqueezeNet 1.1 against torchvision's."""

import pytest
import torch
from torch import nn

from modules.backbones.squeezenet import SqueezeNetConfig
from modules.shape_inference import feature_shape, forward_pass, on_meta, stage_shapes


def test_with_the_same_weights_it_equals_torchvision() -> None:
    from torchvision.models import squeezenet1_1

    peer = squeezenet1_1(weights=None).features
    ours = SqueezeNetConfig().build()
    ours.features.load_state_dict(peer.state_dict())
    images = torch.rand(2, 3, 96, 80) * 2 - 1
    assert torch.equal(ours(images), peer(images))


def test_fresh_weights_are_drawn_as_torchvision_draws_them() -> None:
    ours = SqueezeNetConfig().build()
    for layer in ours.modules():
        if isinstance(layer, nn.Conv2d):
            bound = (6 / layer.weight[0].numel()) ** 0.5  # kaiming_uniform_ with its default slope of 0
            assert 0.9 * bound < layer.weight.abs().max().item() <= bound
            assert layer.bias is not None
            assert not layer.bias.any()


def test_it_has_the_published_parameters_but_the_classifiers() -> None:
    from torchvision.models import SqueezeNet1_1_Weights

    found = sum(value.numel() for value in on_meta(SqueezeNetConfig()).parameters())
    assert found == 722_496 == SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["num_params"] - 513 * 1000
    # published with the classifier, a 1x1 convolution on 13 x 13 cells, which is gone here
    published = SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["_ops"]
    assert forward_pass(SqueezeNetConfig(), 224).flops / 2e9 + 512 * 1000 * 13**2 / 1e9 == pytest.approx(published, abs=0.001)


def test_stages_are_those_of_the_paper() -> None:
    shapes = stage_shapes(SqueezeNetConfig(), 224)
    assert shapes["relu1"] == (64, 111, 111)
    assert shapes["pool1"] == (64, 55, 55)
    assert shapes["fire3"] == (128, 55, 55)
    assert shapes["fire5"] == (256, 27, 27)
    assert list(shapes.items())[-1] == ("fire9", (512, 13, 13))


def test_the_smallest_image_has_17_pixels() -> None:
    assert feature_shape(SqueezeNetConfig(), 17) == (512, 1, 1)
    with pytest.raises(ValueError, match=r"squeezenet cannot take images of 16 x 16 .*smallest that it takes is 17 x 17"):
        feature_shape(SqueezeNetConfig(), 16)


def test_imagenet_weights_are_those_of_torchvision() -> None:
    from torchvision.models import SqueezeNet1_1_Weights

    pinned = SqueezeNetConfig().weights_of("imagenet")
    assert pinned is not None
    assert pinned.file == SqueezeNet1_1_Weights.IMAGENET1K_V1.url.split("/")[-1] == f"squeezenet1_1-{pinned.sha256}.pth"
    assert pinned.files()[0].name == pinned.file
    assert SqueezeNetConfig().weights_of("vggface") is None
