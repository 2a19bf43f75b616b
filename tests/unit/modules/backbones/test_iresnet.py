"""The ArcFace family's networks against layer arithmetic and a forward pass written out."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from configs.lookup import resolve
from modules.backbones.iresnet import UNITS, IResNetConfig
from modules.model_complexity import count
from modules.shape_inference import stage_shapes


def _by_hand(depth: int) -> int:
    """Parameters with the FC-BN head of 512 numbers at 112 x 112."""
    norm = 2
    total = 27 * 64 + 64 * norm + 64
    before = 64
    for width, units in zip((64, 128, 256, 512), UNITS[depth], strict=True):
        for unit in range(units):
            total += before * norm + 9 * before * width + width * norm + width + 9 * width * width + width * norm
            if unit == 0:
                total += before * width + width * norm
            before = width
    return total + 512 * norm + 512 * 49 * 512 + 512 + 512 * norm


@pytest.mark.parametrize(("depth", "millions"), [(18, 24.03), (34, 34.14), (50, 43.59), (100, 65.16)])
def test_parameters_are_those_of_the_public_networks(depth: int, millions: float) -> None:
    parts: list[Any] = [resolve("backbone", {"name": "iresnet", "depth": depth}), resolve("head", "fc_bn")]
    found = count(parts[0], parts[1], resolve("loss", "softmax"), 10, 112).parameters  # type: ignore[arg-type]
    assert found == _by_hand(depth)
    assert round(found / 1e6, 2) == millions


def test_depth_is_the_number_of_layers_with_weights() -> None:
    for depth, units in UNITS.items():
        assert 1 + 2 * sum(units) + 1 == depth  # first convolution, two a unit, the fully connected layer


@pytest.mark.parametrize("depth", [18, 34, 50, 100])
def test_112_pixels_end_as_7_cells(depth: Any) -> None:
    shapes = stage_shapes(IResNetConfig(depth=depth), 112)
    assert shapes["prelu"] == (64, 112, 112)
    assert shapes["layer4"] == (512, 7, 7)
    assert list(shapes)[-1] == "layer4"
    assert stage_shapes(IResNetConfig(depth=depth), (112, 90))["layer4"] == (512, 7, 6)


def test_it_equals_the_units_written_out() -> None:
    torch.manual_seed(0)
    net = IResNetConfig(depth=18).build().eval()
    for name, value in net.state_dict().items():
        if name.endswith("running_mean") or (value.ndim == 1 and name.endswith("bias")):
            value.uniform_(-0.2, 0.2)
        elif value.ndim == 1:
            value.uniform_(0.2, 1.5)
    state = net.double().state_dict()
    images = torch.rand(2, 3, 32, 48, dtype=torch.float64) * 2 - 1

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale = state[f"{name}.weight"] / (variance + 1e-5).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + state[f"{name}.bias"][:, None, None]

    def prelu(x: Tensor, name: str) -> Tensor:
        return torch.where(x > 0, x, state[f"{name}.weight"][:, None, None] * x)

    x = prelu(norm(F.conv2d(images, state["conv1.weight"], padding=1), "bn1"), "prelu")
    for stage in range(1, 5):
        for unit in range(2):
            at = f"layer{stage}.{unit}"
            stride = 2 if unit == 0 else 1
            y = prelu(norm(F.conv2d(norm(x, f"{at}.bn1"), state[f"{at}.conv1.weight"], padding=1), f"{at}.bn2"), f"{at}.prelu")
            y = norm(F.conv2d(y, state[f"{at}.conv2.weight"], stride=stride, padding=1), f"{at}.bn3")
            if unit == 0:
                x = norm(F.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2), f"{at}.downsample.1")
            x = x + y
    torch.testing.assert_close(net(images), x, rtol=1e-9, atol=1e-9)


def test_convolutions_are_drawn_with_a_deviation_of_a_tenth() -> None:
    torch.manual_seed(0)
    weight = IResNetConfig(depth=18).build().state_dict()["layer4.1.conv2.weight"]
    assert weight.std().item() == pytest.approx(0.1, rel=0.01)
    assert abs(weight.mean().item()) < 0.001


def test_another_depth_is_refused() -> None:
    with pytest.raises(ValidationError, match="18, 34, 50 or 100"):
        resolve("backbone", {"name": "iresnet", "depth": 101})


def test_a_subsampling_shortcut_keeps_every_second_value_and_has_no_weights() -> None:
    torch.manual_seed(0)
    net: Any = IResNetConfig(depth=18, shortcut="subsample").build().eval()
    unit = net.layer1[0]
    torch.nn.init.zeros_(unit.bn3.weight)
    features = torch.randn(2, 64, 6, 7)
    assert torch.equal(unit(features), features[:, :, ::2, ::2])
    plain: Any = IResNetConfig(depth=18).build()
    missing = set(plain.state_dict()) - set(net.state_dict())
    assert {name.rsplit(".", 1)[0] for name in missing} == {"layer1.0.downsample.0", "layer1.0.downsample.1"}
    assert stage_shapes(IResNetConfig(depth=18, shortcut="subsample"), 112)["layer4"] == (512, 7, 7)


def test_older_identities_of_iresnet_stay() -> None:
    assert IResNetConfig().identity() == {"name": "iresnet", "depth": 50}
    assert IResNetConfig(shortcut="subsample").identity()["shortcut"] == "subsample"
