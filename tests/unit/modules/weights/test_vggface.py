"""VGG-Face's weights, under our names and for our pixels, against the published network written out."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from modules.backbones.vgg16 import VGG16Config
from modules.weights.vggface import for_our_pixels, to_vgg16

DEPTHS = {1: (2, 64), 2: (2, 128), 3: (3, 256), 4: (3, 512), 5: (3, 512)}
MEAN_RGB = (129.1863, 104.7624, 93.5940)


def published() -> dict[str, Tensor]:
    """Random weights with the names and, but for the classifier, the shapes of the published network."""
    torch.manual_seed(0)
    state, channels = {}, 3
    for block, (depth, width) in DEPTHS.items():
        for place in range(1, depth + 1):
            state[f"conv{block}_{place}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            state[f"conv{block}_{place}.bias"] = torch.randn(width) * 0.1
            channels = width
    for name in ("fc6", "fc7", "fc8"):
        state |= {f"{name}.weight": torch.zeros(2, 2), f"{name}.bias": torch.zeros(2)}
    return state


def features(state: Mapping[str, Tensor], pixels: Tensor, order: str) -> Tensor:
    """The published network up to pool5: RGB pixels from 0 to 255, mean subtracted, zero padding; in float64."""
    maps = pixels - torch.tensor(MEAN_RGB, dtype=torch.float64).view(1, 3, 1, 1)
    maps = maps[:, [2, 1, 0]] if order == "bgr" else maps
    for block, (depth, _) in DEPTHS.items():
        for place in range(1, depth + 1):
            name = f"conv{block}_{place}"
            maps = functional.relu(
                functional.conv2d(maps, state[f"{name}.weight"].double(), state[f"{name}.bias"].double(), padding=1)
            )
        maps = functional.max_pool2d(maps, 2)
    return maps


def _ours(order: Any, **fields: Any) -> Any:
    state = {name: value for name, value in to_vgg16(published()).items() if not name.startswith("fc")}
    backbone = VGG16Config(**fields).build().double()
    backbone.load_state_dict(for_our_pixels({name: value.double() for name, value in state.items()}, order))
    return backbone


def _pixels(size: int = 32) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, 256, (2, 3, size, size)).double()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_the_converted_network_gives_the_published_features(order: Any) -> None:
    pixels = _pixels()
    wanted = features(published(), pixels, order)
    found = _ours(order, border="vggface_mean")(pixels / 127.5 - 1)
    assert wanted.std() > 1
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-4)  # the published mean is known to four decimals


def test_the_other_order_gives_other_features() -> None:
    pixels = _pixels()
    wanted = features(published(), pixels, "bgr")
    assert not torch.allclose(_ours("rgb", border="vggface_mean")(pixels / 127.5 - 1), wanted, rtol=0.01)


def test_with_a_gray_border_only_the_outermost_ring_of_the_first_layer_differs() -> None:
    images = _pixels() / 127.5 - 1
    ours = [_ours("bgr"), _ours("bgr", border="vggface_mean")]
    gray = ours[0].features[0](images)
    framed = []
    ours[1].features[0].register_forward_hook(lambda *call: framed.append(call[2]))
    ours[1](images)
    difference = (gray - framed[0]).abs().amax((0, 1))
    assert difference[1:-1, 1:-1].max() < 1e-9
    ring = difference.clone()
    ring[1:-1, 1:-1] = 1
    assert ring.min() > 1e-3


def test_names_are_those_of_vgg16() -> None:
    wanted = set(VGG16Config().build().state_dict())
    assert {name for name in to_vgg16(published()) if not name.startswith("fc")} == wanted
    spelled = {name.replace("conv", "conv_"): value for name, value in published().items()}
    assert list(to_vgg16(spelled)) == list(to_vgg16(published()))


@pytest.mark.parametrize("name", ["conv1_3.weight", "conv6_1.weight", "features.0.weight", "conv5_4.bias", "conv1_1.scale"])
def test_a_name_of_another_network_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is no name of VGG-Face"):
        to_vgg16({name: torch.zeros(1)})


def test_precision_and_other_layers_stay() -> None:
    state = {name: value.half() for name, value in to_vgg16(published()).items()}
    found = for_our_pixels(state, "bgr")
    assert {value.dtype for value in found.values()} == {torch.float16}
    assert [name for name in state if found[name] is not state[name]] == ["features.0.weight", "features.0.bias"]
