"""EfficientNet-Lite's weights under timm's names, against a network written from the paper's table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from configs.lookup import resolve
from modules.weights.efficientnet_lite import LITE0, LITE1, to_timm
from modules.weights.files import read

STRIDES = (1, 2, 2, 2, 1, 2, 1)


@pytest.mark.parametrize(("name", "depths"), [("efficientnet_lite0", LITE0), ("efficientnet_lite1", LITE1)])
def test_the_loaded_backbone_equals_the_network_written_out(name: str, depths: tuple[int, ...]) -> None:
    config: Any = resolve("backbone", name)
    pretraining: Any = resolve("pretraining", "imagenet")
    backbone = config.build()
    pretraining.load(backbone, config, None)
    backbone.eval()
    raw = read(config.weights_of("imagenet").files()[0])
    ramp = torch.linspace(-1, 1, 96)
    images = torch.stack([ramp.expand(96, 96), ramp.expand(96, 96).T, (ramp[:, None] * ramp * 3).sin()])[None]
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), _written_out(raw, images, depths), rtol=1e-4, atol=1e-4)


def test_the_weights_see_suits_and_ties_in_press_photographs(shared: Path) -> None:
    import timm
    from PIL import Image

    config: Any = resolve("backbone", "efficientnet_lite0")
    pinned = config.weights_of("imagenet")
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(pinned.convert(read(pinned.files()[0])))
    seen = []
    for subject in ("Bob_Holden", "Ciaran_Hinds", "Saddam_Hussein", "Sylvester_Stallone"):
        path = next(iter(sorted((shared / "data" / "lfw" / "images" / subject).glob("*.jpg"))))
        pixels = np.asarray(Image.open(path).resize((224, 224)), dtype=np.float32) / 127.5 - 1
        with torch.no_grad():
            seen.append(network(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].topk(5).indices.tolist())
    assert all({834, 906} & set(classes) for classes in seen), seen  # suit, Windsor tie


def test_a_name_of_another_network_is_refused() -> None:
    weight = torch.zeros(1)
    with pytest.raises(ValueError, match=r"_blocks\.16\._bn1\.weight is no name of an EfficientNet-Lite with 16 blocks"):
        to_timm({"_blocks.16._bn1.weight": weight}, LITE0)
    with pytest.raises(ValueError, match=r"_blocks\.2\._se_reduce\.weight is no name"):
        to_timm({"_blocks.2._se_reduce.weight": weight}, LITE0)
    with pytest.raises(ValueError, match=r"fc\.weight is no name"):
        to_timm({"fc.weight": weight}, LITE0)


def _written_out(raw: Mapping[str, Tensor], images: Tensor, depths: tuple[int, ...]) -> Tensor:
    """EfficientNet-Lite on the file's own names: no squeeze-and-excitation, ReLU6, padding as TensorFlow's "same"."""

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = raw[f"{name}.weight"]
        kernel = weight.shape[-1]
        pads = []
        for length in (x.shape[3], x.shape[2]):
            total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), weight, stride=stride, groups=groups)

    def normalize(x: Tensor, name: str) -> Tensor:
        part = {leaf: raw[f"{name}.{leaf}"][:, None, None] for leaf in ("running_mean", "running_var", "weight", "bias")}
        return (x - part["running_mean"]) / (part["running_var"] + 1e-3).sqrt() * part["weight"] + part["bias"]

    def relu6(x: Tensor) -> Tensor:
        return x.clamp(0, 6)

    x = relu6(normalize(convolve(images, "_conv_stem", stride=2), "_bn0"))
    index = 0
    for depth, first in zip(depths, STRIDES, strict=True):
        for place in range(depth):
            block, stride, y = f"_blocks.{index}", first if place == 0 else 1, x
            if f"{block}._expand_conv.weight" in raw:
                y = relu6(normalize(convolve(y, f"{block}._expand_conv"), f"{block}._bn0"))
            y = relu6(normalize(convolve(y, f"{block}._depthwise_conv", stride, groups=y.shape[1]), f"{block}._bn1"))
            y = normalize(convolve(y, f"{block}._project_conv"), f"{block}._bn2")
            x = x + y if x.shape == y.shape else y
            index += 1
    return relu6(normalize(convolve(x, "_conv_head"), "_bn1"))
