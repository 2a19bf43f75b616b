"""VGG-16 and VGG-19 against torchvision's."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modules.backbones.vgg16 import VGG16Config
from modules.backbones.vgg19 import VGG19Config
from modules.shape_inference import feature_shape, forward_pass, on_meta, stage_shapes
from modules.weights.files import fit

BOTH = pytest.mark.parametrize("config", [VGG16Config(), VGG19Config()], ids=lambda config: config.name)


def _peer(config: Any) -> nn.Module:
    from torchvision.models import get_model

    with torch.device("meta"):  # the classifier alone would take 490 MB
        features: nn.Module = get_model(config.name, weights=None).features
    return features


@BOTH
def test_with_the_same_weights_it_equals_torchvision(config: Any) -> None:
    peer = _peer(config).to_empty(device="cpu").eval()
    torch.manual_seed(0)
    ours = config.build()
    peer.load_state_dict(ours.features.state_dict())
    images = torch.rand(1, 3, 64, 48) * 2 - 1
    assert torch.equal(ours(images), peer(images))


@pytest.mark.parametrize(("config", "parameters"), [(VGG16Config(), 14_714_688), (VGG19Config(), 20_024_384)])
def test_it_has_torchvisions_parameters(config: Any, parameters: int) -> None:
    found = sum(value.numel() for value in on_meta(config).parameters())
    assert found == sum(value.numel() for value in _peer(config).parameters()) == parameters


@BOTH
def test_fresh_weights_are_drawn_as_torchvision_draws_them(config: Any) -> None:
    torch.manual_seed(0)
    ours = config.build()
    for layer in ours.features:
        if isinstance(layer, nn.Conv2d):
            wanted = (2 / (layer.out_channels * 9)) ** 0.5
            assert layer.weight.std().item() == pytest.approx(wanted, rel=0.05)
            assert layer.bias is not None
            assert not layer.bias.any()


@pytest.mark.parametrize(
    ("config", "last", "operations"), [(VGG16Config(), "relu5_3", 15.35), (VGG19Config(), "relu5_4", 19.51)]
)
def test_stages_end_with_the_last_pooling(config: Any, last: str, operations: float) -> None:
    shapes = stage_shapes(config, 224)
    assert list(shapes)[:3] == ["relu1_1", "relu1_2", "pool1"]
    assert list(shapes)[-2:] == [last, "pool5"]
    assert [shape for name, shape in shapes.items() if name.startswith("pool")] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
        (512, 7, 7),
    ]
    assert forward_pass(config, 224).flops / 2e9 == pytest.approx(operations, abs=0.01)


@BOTH
def test_the_smallest_image_has_32_pixels(config: Any) -> None:
    assert feature_shape(config, 32) == (512, 1, 1)
    with pytest.raises(ValueError, match=rf"{config.name} cannot take images of 31 x 31 .*smallest that it takes is 32 x 32"):
        feature_shape(config, 31)


@BOTH
def test_imagenet_weights_are_those_of_torchvision(config: Any) -> None:
    from torchvision.models import get_model_weights

    published = get_model_weights(config.name)["IMAGENET1K_V1"].url
    pinned = config.weights_of("imagenet")
    assert pinned is not None
    assert pinned.file == published.split("/")[-1] == f"{config.name}-{pinned.sha256}.pth"
    assert pinned.files()[0].name == pinned.file
    assert published in pinned.how
    assert config.weights_of("other") is None


def test_published_face_weights_are_known_for_vgg16_alone() -> None:
    pinned = VGG16Config().weights_of("vggface")
    assert pinned is not None
    assert pinned.dropped == ("fc6", "fc7", "fc8")
    assert pinned.files()[0].name == pinned.file == "vgg_face_dag.pth"
    assert VGG19Config().weights_of("vggface") is None


def test_the_border_of_vggface_is_its_mean_color() -> None:
    border = VGG16Config(border="vggface_mean").build().border
    assert border is not None
    pixels = [round((value + 1) / 2 * 255, 4) for value in border]
    assert pixels == [129.1863, 104.7624, 93.594]
    assert VGG16Config().build().border is None


@BOTH
def test_weights_of_the_plain_network_fit_the_one_with_normalizations(config: Any, tmp_path: Path) -> None:
    """The file is read as the pretraining reads it; with its fresh normalizations the network computes the same."""
    normalized = config.model_copy(update={"batch_norm": True, "dropout": 0.3})
    torch.manual_seed(0)
    plain, built = config.build().eval(), normalized.build().eval()
    pinned = normalized.weights_of("imagenet")
    assert pinned is not None
    file = {f"{name}": value for name, value in plain.state_dict().items()} | {"classifier.0.bias": torch.zeros(2)}
    found = fit(pinned.convert(file), built.state_dict(), tmp_path, dropped=pinned.dropped)
    built.load_state_dict(found)
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(built(images), plain(images), rtol=2e-3, atol=1e-5)  # of the variance's epsilon, 16 times
    with pytest.raises(ValueError, match=r"features.1.0.weight is missing"):
        fit(file, built.state_dict(), tmp_path, dropped=pinned.dropped)


@BOTH
def test_dropout_and_normalization_are_part_of_the_identity_only_where_they_are_set(config: Any) -> None:
    assert not {"dropout", "batch_norm"} & config.identity().keys()
    changed = config.model_copy(update={"dropout": 0.5}).identity()
    assert changed["dropout"] == 0.5
    assert "batch_norm" not in changed
