"""Names of layers; that whole networks are converted is tested in test_layouts.py."""

import pytest

from modules.backbones.iresnet import UNITS
from modules.weights.layer_names import EDGEFACE, IR, IR_UNITS, VIT


@pytest.mark.parametrize(
    ("depth", "number", "place"),
    [(18, 1, "layer1.1"), (18, 2, "layer2.0"), (50, 2, "layer1.2"), (50, 6, "layer2.3"), (50, 7, "layer3.0"),
     (50, 23, "layer4.2"), (100, 15, "layer2.12"), (100, 16, "layer3.0"), (100, 46, "layer4.0"), (34, 13, "layer4.0")],
)  # fmt: skip
def test_the_number_of_a_unit_is_its_stage_and_place(depth: int, number: int, place: str) -> None:
    names = {f"body.{one}.res_layer.1.weight": one for one in range(sum(UNITS[depth]))}
    found = IR.convert(names, "IR network")
    assert next(name for name, one in found.items() if one == number) == f"backbone.{place}.conv1.weight"


def test_its_depths_are_those_of_our_backbone() -> None:
    assert tuple(UNITS.values()) == IR_UNITS


@pytest.mark.parametrize("numbers", [range(7), [*range(7), 8], range(50)])
def test_other_numbers_of_units_are_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"body has {len(numbers)} units up to number .*; known are 8, 16, 24, 49 units"):
        IR.convert({f"body.{one}.res_layer.1.weight": one for one in numbers}, "IR network")


def test_a_file_of_another_network_is_told_from_one_with_other_units() -> None:
    with pytest.raises(ValueError, match=r"has no tensors named body\.0"):
        IR.convert({"stem.weight": 0}, "IR network")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pos_embed", "backbone.positions.weight"),
        ("mask_token", "backbone.mask.token"),
        ("blocks.11.attn.qkv.weight", "backbone.blocks.11.attn.qkv.weight"),
        ("feature.0.weight", "head.linear.weight"),
        ("feature.3.running_var", "head.out.running_var"),
    ],
)
def test_names_of_a_vit(theirs: str, ours: str) -> None:
    assert VIT.convert({theirs: 1}, "ViT") == {ours: 1}


@pytest.mark.parametrize("name", ["cls_token", "pos_embed.weight", "feature.4.weight", "head.weight"])
def test_a_name_of_another_transformer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is no name of a layer in the ViT"):
        VIT.convert({name: 1}, "ViT")


def test_names_of_edgeface() -> None:
    given = {"head.fc.linear1.weight": 1, "head.norm.bias": 2, "stages.2.blocks.8.xca.qkv.linear2.bias": 3}
    assert EDGEFACE.convert(given, "EdgeFace") == {
        "head.linear.linear1.weight": 1, "head.norm.bias": 2, "backbone.stages.2.blocks.8.xca.qkv.linear2.bias": 3,
    }  # fmt: skip
