"""Backbone, head and loss together."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.network import Network


def _network(size: int = 64) -> Network:
    torch.manual_seed(0)
    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", "gap_bn"), resolve("loss", "softmax")]
    return Network(parts[0], parts[1], parts[2], classes=7, size=size)


def test_shapes_along_the_way() -> None:
    network = _network().eval()
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    assert network.features(images).shape == (2, 256, 1, 1)
    assert network.embed(images).shape == (2, 512)
    assert network(images).shape == (2, 7)
    loss = network.loss_of(images, torch.tensor([1, 6]))
    assert loss.shape == ()
    assert loss.item() == pytest.approx(torch.nn.functional.cross_entropy(network(images), torch.tensor([1, 6])).item())


def test_it_says_whether_its_loss_classifies() -> None:
    class Distances(type(resolve("loss", "softmax"))):  # type: ignore[misc]
        classifies = False

    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", "gap_bn")]
    assert _network().classifies
    assert not Network(parts[0], parts[1], Distances(), classes=7, size=64).classifies


def test_the_seed_decides_every_weight() -> None:
    one, other = _network().state_dict(), _network().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_head_is_built_for_the_map_at_that_size(monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.heads import gap_bn

    seen = []
    plain = gap_bn.GapBnConfig.build
    monkeypatch.setattr(gap_bn.GapBnConfig, "build", lambda self, *shape: seen.append(shape) or plain(self, *shape))
    _network(160)
    assert seen == [(256, 4, 4)]


def test_images_need_not_be_square() -> None:
    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", "gdc"), resolve("loss", "softmax")]
    network = Network(parts[0], parts[1], parts[2], classes=7, size=(96, 160)).eval()
    assert network.features(torch.rand(1, 3, 96, 160)).shape == (1, 256, 2, 4)
    assert network(torch.rand(1, 3, 96, 160)).shape == (1, 7)


def test_a_size_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="alexnet cannot take images of 32 x 32"):
        _network(32)


def test_parts_are_named_in_the_state() -> None:
    assert {name.split(".")[0] for name in _network().state_dict()} == {"backbone", "head", "loss"}


def test_describing_a_network_imports_torch_and_nothing_heavier() -> None:
    names = ["alexnet", "resnet34", "efficientnet_b1", "efficientnet_lite0", "efficientnet_lite1", "mobilenetv3_small", "timm"]
    names += ["abn", "inception_resnet_v1", "iresnet", "mobilefacenet", "zhong_resnet"]
    modules = [f"modules.backbones.{name}" for name in names] + [
        *(f"modules.pretraining.{name}" for name in ("none", "imagenet", "checkpoint", "source")),
        *(f"modules.heads.{name}" for name in ("gap_bn", "fc_bn", "gdc", "gmp")),
        *(
            "modules.decoders.transposed",
            "modules.losses.softmax",
            "modules.network",
            "modules.model_complexity",
            "modules.shape_inference",
        ),
    ]
    heavy = [
        "timm",
        "torchvision",
        "facenet_pytorch",
        "pytorch_lightning",
        "safetensors",
        "huggingface_hub",
        "mlflow",
        "ray",
        "cv2",
    ]
    lines = ["import sys, importlib", f"for name in {modules}: importlib.import_module(name)"]
    code = "\n".join([*lines, f"print(sorted(set({heavy}) & set(sys.modules)))"])
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
