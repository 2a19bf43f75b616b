"""The numbers of Taigman et al. (2014), and sizes that are refused."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from configs.lookup import resolve
from modules.backbones.deepface import DeepFaceConfig
from modules.model_complexity import count
from modules.shape_inference import feature_shape, on_meta, stage_shapes


def _parts(**fields: Any) -> list[Any]:
    return [DeepFaceConfig(**fields), resolve("head", "deepface_f7"), resolve("loss", "softmax")]


def test_the_maps_are_those_of_the_paper() -> None:
    assert stage_shapes(DeepFaceConfig(), 152) == {
        "c1": (32, 142, 142),
        "m2": (32, 71, 71),
        "c3": (16, 63, 63),
        "l4": (16, 55, 55),
        "l5": (16, 25, 25),
        "l6": (16, 21, 21),
    }


def test_with_4030_classes_there_are_the_papers_parameters() -> None:
    weights = {
        "c1": 32 * 3 * 11**2,
        "c3": 16 * 32 * 9**2,
        "l4": 55**2 * 16 * 16 * 9**2,
        "l5": 25**2 * 16 * 16 * 7**2,
        "l6": 21**2 * 16 * 16 * 5**2,
        "f7": 4096 * 16 * 21**2,
        "f8": 4030 * 4096,
    }
    biases = 32 + 16 + 16 * (55**2 + 25**2 + 21**2) + 4096 + 4030
    found = count(*_parts(), classes=4030, size=152)
    assert found.parameters + found.loss_parameters == sum(weights.values()) + biases == 118_923_774
    assert round(sum(weights.values()) / 1e6, 1) == round((found.parameters + found.loss_parameters) / 1e6, 1) == 118.9
    for name in ("c1", "c3", "l4", "l5", "l6"):
        assert on_meta(DeepFaceConfig()).stages()[name][0].weight.numel() == weights[name]


def test_operations_are_those_counted_by_hand() -> None:
    adds = {
        "c1": 142**2 * 32 * 3 * 11**2,
        "c3": 63**2 * 16 * 32 * 9**2,
        "l4": 55**2 * 16 * 16 * 9**2,
        "l5": 25**2 * 16 * 16 * 7**2,
        "l6": 21**2 * 16 * 16 * 5**2,
        "f7": 4096 * 16 * 21**2,
    }
    assert count(*_parts(), classes=2, size=152).flops == 2 * sum(adds.values())


@pytest.mark.parametrize(
    ("without", "stages", "side"),
    [
        ("c3", ["c1", "m2", "l4", "l5", "l6"], 25),  # 71, 63, 29, 25
        ("l4_l5", ["c1", "m2", "c3", "l6"], 59),  # 71, 63, 59
        ("c3_l4_l5", ["c1", "m2", "l6"], 67),  # 71, 67
    ],
)
def test_an_ablation_leaves_out_its_layers(without: Any, stages: list[str], side: int) -> None:
    shapes = stage_shapes(DeepFaceConfig(without=without), 152)
    assert list(shapes) == stages
    assert shapes["l6"] == (16, side, side)


def test_another_image_size_is_refused_at_the_plan() -> None:
    with pytest.raises(ValueError, match=r"deepface cannot take images of 160 x 160 .*weights for 152 x 152 pixels only"):
        feature_shape(DeepFaceConfig(), 160)
    with pytest.raises(ValueError, match=r"found 152 x 140; set backbone\.size"):
        on_meta(DeepFaceConfig())(torch.empty(1, 3, 152, 140, device="meta"))


@pytest.mark.parametrize("without", ["none", "c3", "l4_l5", "c3_l4_l5"])
@pytest.mark.parametrize("extra", range(5))
def test_the_smallest_size_leaves_something_and_one_less_is_refused(without: Any, extra: int) -> None:
    with pytest.raises(ValidationError, match="leaves nothing of the map; the smallest is"):
        DeepFaceConfig(size=1, without=without)
    smallest = next(size for size in range(1, 100) if _fits(size, without))
    assert min(feature_shape(DeepFaceConfig(size=smallest + extra, without=without), smallest + extra)) >= 1


def _fits(size: int, without: Any) -> bool:
    try:
        DeepFaceConfig(size=size, without=without)
    except ValidationError:
        return False
    return True


def test_the_default_needs_72_pixels() -> None:
    assert not _fits(71, "none")
    assert feature_shape(DeepFaceConfig(size=72), 72) == (16, 1, 1)


def test_the_gradient_view_is_what_the_first_layer_sees() -> None:
    from modules.layers.input_gradients import Gradients

    torch.manual_seed(0)
    network = DeepFaceConfig(size=72, view="gradients").build()
    torch.manual_seed(0)
    plain = DeepFaceConfig(size=72).build()
    images = torch.rand(1, 3, 72, 72) * 2 - 1
    assert torch.equal(network(images), plain(Gradients()(images)))
    assert not torch.equal(network(images), plain(images))
    assert list(network.state_dict()) == list(plain.state_dict())


def test_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = DeepFaceConfig(size=80).build()
    network(torch.rand(2, 3, 80, 80) * 2 - 1).sum().backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in network.parameters())


def test_the_papers_weights_are_drawn_on_request() -> None:
    network = DeepFaceConfig(size=72, initial="gaussian").build()
    biases = [value for name, value in network.named_parameters() if name.endswith("bias")]
    assert len(biases) == 5
    assert all(bool((bias == 0.5).all()) for bias in biases)
    assert not any(
        bool(value.any()) for name, value in DeepFaceConfig(size=72).build().named_parameters() if name.endswith("bias")
    )
