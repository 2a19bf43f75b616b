"""The expanding path of U-Net, without a way around the feature map."""

import pytest
import torch

from configs.lookup import resolve
from modules.decoders.unet import UnetConfig
from modules.network import Network


@pytest.mark.parametrize(
    ("height", "width", "size"), [(7, 7, 112), (4, 4, 160), (5, 5, 160), (7, 6, (112, 96)), (3, 2, (50, 33)), (8, 8, 8)]
)
@pytest.mark.parametrize("code", ["map", "pooled"])
def test_any_map_gives_images_of_any_size(height: int, width: int, size: int | tuple[int, int], code: str) -> None:
    decoder = UnetConfig(width=4, code=code).build(6, height, width, size).eval()  # type: ignore[arg-type]
    found = decoder(torch.randn(2, 6, height, width))
    assert found.shape == (2, 3, *((size, size) if isinstance(size, int) else size))
    assert -1 <= found.min().item() < found.max().item() <= 1


def test_the_channels_halve_as_in_u_net() -> None:
    decoder = UnetConfig(width=64, widest=1024).build(512, 7, 7, 112)
    assert [up.in_channels for up in decoder.up] == [1024, 512, 256, 128]
    assert [up.out_channels for up in decoder.up] == [512, 256, 128, 64]
    assert [(level[0].kernel_size, level[3].kernel_size) for level in decoder.levels] == [((3, 3), (3, 3))] * 4
    assert {(up.kernel_size, up.stride) for up in decoder.up} == {((2, 2), (2, 2))}


def test_parameters_are_those_counted_by_hand() -> None:
    found = sum(value.numel() for value in UnetConfig(width=8).build(20, 4, 4, 8).parameters())
    first = 9 * (20 * 16 + 16 * 16) + 4 * 16
    up = 4 * 16 * 8 + 8
    level = 9 * (8 * 8 + 8 * 8) + 4 * 8
    assert found == first + up + level + 8 * 3 + 3


def test_nothing_but_the_code_reaches_the_image() -> None:
    backbone = resolve("backbone", {"name": "zhong_resnet", "units": [0, 0], "width": 4})
    head, loss = resolve("head", {"name": "gap_bn", "dimension": 5, "dropout": 0}), resolve("loss", "softmax")
    torch.manual_seed(0)
    network = Network(backbone, head, loss, 3, 16, decoder=UnetConfig(width=4), reconstruction=1.0).eval()  # type: ignore[arg-type]
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    features = network.features(image)
    assert network.decoder is not None
    expected = network.decoder(features)
    network.features(-image)  # another image in between leaves no trace
    assert torch.equal(network.decoder(features), expected)
    assert not torch.equal(network.decoder(network.features(-image)), expected)


def test_a_pooled_code_forgets_where_a_feature_is() -> None:
    torch.manual_seed(0)
    decoder = UnetConfig(width=4, code="pooled").build(6, 4, 4, 32).eval()
    features = torch.randn(1, 6, 4, 4)
    moved = features.flip(2)
    assert torch.allclose(decoder(features), decoder(moved), atol=1e-6)
    assert decoder.code(features).shape == (1, 6, 1, 1)
    whole = UnetConfig(width=4).build(6, 4, 4, 32).train()  # batch statistics, so that signals do not vanish
    assert not torch.allclose(whole(features), whole(moved), atol=1e-3)


def test_a_map_larger_than_the_image_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"decoder unet: the feature map has 9 x 4 locations, and the images only 8 x 8 pixels"
    ):
        UnetConfig().build(3, 9, 4, 8)
