"""ResNet-34 against torchvision's."""

import torch
from torch import nn

from modules.backbones.resnet34 import ResNet34Config


def test_with_the_same_weights_it_equals_torchvision() -> None:
    import torchvision

    torch.manual_seed(0)
    ours = ResNet34Config().build()
    peer = torchvision.models.resnet34()
    missing, unexpected = peer.load_state_dict(ours.body.state_dict(), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    maps: list[torch.Tensor] = []
    peer.layer4.register_forward_hook(lambda *call: maps.append(call[2]))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    peer.eval()(images)
    torch.testing.assert_close(ours.eval()(images), maps[0], rtol=1e-5, atol=1e-5)


def test_the_last_normalization_of_a_block_starts_at_one_as_in_torchvision() -> None:
    norms = [module for module in ResNet34Config().build().modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 36
    assert all(bool((norm.weight == 1).all()) for norm in norms)


def test_imagenet_weights_are_those_of_torchvision_as_timm_keeps_them() -> None:
    pinned = ResNet34Config().weights_of("imagenet")
    assert pinned is not None
    assert (pinned.tag, pinned.file) == ("timm/resnet34.tv_in1k", "resnet34.tv_in1k.safetensors")
    assert ResNet34Config().weights_of("other") is None
