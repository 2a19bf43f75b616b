"""From feature map to face."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.decoders.transposed import TransposedConfig
from modules.network import Network


def _parts() -> list[Any]:
    backbone = resolve("backbone", {"name": "zhong_resnet", "units": [0, 0], "width": 4})
    return [backbone, resolve("head", {"name": "gap_bn", "dimension": 5, "dropout": 0}), resolve("loss", "softmax")]


def _network(reconstruction: float) -> Network:
    torch.manual_seed(0)
    backbone, head, loss = _parts()
    return Network(
        backbone, head, loss, 3, (16, 12), decoder=TransposedConfig(layers=2, width=8), reconstruction=reconstruction
    )


IMAGES = torch.rand(4, 3, 16, 12, generator=torch.Generator().manual_seed(5)) * 2 - 1
LABELS = torch.tensor([0, 1, 2, 1])


def test_xus_decoder_goes_7_14_28_56_112() -> None:
    decoder = TransposedConfig().build(512, 7, 7, 112)
    shapes = []
    for layer in decoder.layers:
        layer[0].register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape[1:])))
    found = decoder(torch.randn(2, 512, 7, 7))
    assert shapes == [(256, 14, 14), (128, 28, 28), (64, 56, 56), (3, 112, 112)]
    assert found.shape == (2, 3, 112, 112)
    assert -1 <= found.min().item() < found.max().item() <= 1


def test_each_layer_has_a_kernel_of_4_a_stride_of_2_and_a_padding_of_1() -> None:
    for layer in TransposedConfig().build(512, 7, 7, 112).layers:
        assert (layer[0].kernel_size, layer[0].stride, layer[0].padding) == ((4, 4), (2, 2), (1, 1))


def test_parameters_are_those_counted_by_hand() -> None:
    found = sum(value.numel() for value in TransposedConfig().build(512, 7, 7, 112).parameters())
    assert found == 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 2 * (256 + 128 + 64) + 3


@pytest.mark.parametrize(("layers", "height", "width"), [(1, 5, 3), (3, 7, 6), (5, 1, 2)])
def test_it_works_for_any_map_and_any_doubling(layers: int, height: int, width: int) -> None:
    size = (height * 2**layers, width * 2**layers)
    assert TransposedConfig(layers=layers, width=32).build(6, height, width, size)(torch.randn(2, 6, height, width)).shape == (
        2,
        3,
        *size,
    )


def test_widths_halve_down_to_16() -> None:
    def widths(**fields: int) -> list[int]:
        return [layer[0].out_channels for layer in TransposedConfig(**fields).build(9, 1, 1, 2 ** fields["layers"]).layers]

    assert widths(layers=6, width=64) == [64, 32, 16, 16, 16, 3]
    assert widths(layers=3, width=8) == [8, 8, 3]


def test_the_size_of_the_images_must_be_met() -> None:
    with pytest.raises(ValueError, match=r"7 x 6 doubled 4 times gives 112 x 96 pixels, the images have 112 x 112"):
        TransposedConfig().build(512, 7, 6, 112)
    backbone, head, loss = _parts()
    with pytest.raises(ValueError, match=r"4 x 3 doubled 4 times gives 64 x 48 pixels, the images have 16 x 12"):
        Network(backbone, head, loss, 3, (16, 12), decoder=TransposedConfig(), reconstruction=1.0)


def test_the_loss_adds_the_weighted_squared_error() -> None:
    network = _network(2.5).eval()
    features = network.features(IMAGES)
    rebuilt = network.decoder(features)  # type: ignore[misc]
    squared = sum(((a - b) ** 2) for a, b in zip(rebuilt.flatten().tolist(), IMAGES.flatten().tolist(), strict=True))
    own = torch.nn.functional.cross_entropy(network(IMAGES), LABELS).item()
    assert network.loss_of(IMAGES, LABELS).item() == pytest.approx(own + 2.5 * squared / IMAGES.numel(), rel=1e-5)


def test_the_decoders_gradient_reaches_the_backbone() -> None:
    gradients = {}
    for weight in (0.0, 1.0, 2.0):
        network = _network(weight)
        network.loss_of(IMAGES, LABELS).backward()
        gradients[weight] = {name: value.grad.double() for name, value in network.named_parameters() if value.grad is not None}
    reached = [name for name in gradients[0.0] if name.startswith("backbone.")]
    assert len(reached) == 9
    for name in reached:
        of_decoder = gradients[1.0][name] - gradients[0.0][name]
        assert of_decoder.abs().max() > 1e-4, name
        torch.testing.assert_close(gradients[2.0][name] - gradients[0.0][name], 2 * of_decoder, rtol=1e-3, atol=1e-6)
    for name in ("head.linear.weight", "loss.linear.weight"):
        assert torch.equal(gradients[0.0][name], gradients[2.0][name])
    assert all(gradients[1.0][name].any() for name in gradients[1.0] if name.startswith("decoder."))


def test_joint_steps_bring_the_images_back() -> None:
    network = _network(10.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

    def error() -> float:
        with torch.no_grad():
            return torch.nn.functional.mse_loss(network.decoder(network.features(IMAGES)), IMAGES).item()  # type: ignore[misc]

    before = error()
    for _ in range(60):
        optimizer.zero_grad()
        network.loss_of(IMAGES, LABELS).backward()
        optimizer.step()
    assert error() < 0.5 * before


def test_a_network_without_decoder_is_what_it_was() -> None:
    torch.manual_seed(0)
    backbone, head, loss = _parts()
    plain = Network(backbone, head, loss, 3, (16, 12)).state_dict()
    with_decoder = _network(1.0).state_dict()
    assert list(plain) == [name for name in with_decoder if not name.startswith("decoder.")]
    assert all(torch.equal(value, with_decoder[name]) for name, value in plain.items())
    assert {name.split(".")[0] for name in plain} == {"backbone", "head", "loss"}


def test_a_weight_without_a_decoder_is_refused() -> None:
    backbone, head, loss = _parts()
    with pytest.raises(ValueError, match=r"reconstruction 0\.5 .*name a decoder, or set it to 0"):
        Network(backbone, head, loss, 3, 16, reconstruction=0.5)
