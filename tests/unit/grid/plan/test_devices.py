"""What a plan says and refuses about cells on several devices, and which ids they have."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from timm.layers import DropPath

from grid.plan.cost import cost
from grid.plan.devices import _drops, by_part, check_other_devices, device_lines
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.grid_file import BadInput, Grid
from grid.spec.training import Training

PLAIN = {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"}
TRAINING = {"data": "drawn", "input": {"size": 64}, "backbone": "alexnet"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"head": PLAIN}, {}),
        ({"head": {"name": "gap_bn", "dropout": 0}}, {"batch normalization": "head"}),
        ({"head": {**PLAIN, "dropout": 0.2}}, {"dropout": "head"}),
        ({"head": PLAIN, "backbone": "resnet34"}, {"batch normalization": "backbone"}),
        (
            {"head": {"name": "fc_bn", "dropout": 0.4}, "backbone": "resnet34"},
            {"batch normalization": "backbone and head", "dropout": "head"},
        ),
        ({"head": PLAIN, "compute": {"precision": "16-mixed"}}, {"float16 gradients": "compute.precision"}),
        ({"head": PLAIN, "compute": {"precision": "bf16-mixed"}}, {}),
        ({"head": PLAIN, "reconstruction": {"decoder": "unet"}}, {"batch normalization": "decoder"}),
        (
            {"head": PLAIN, "targets": {"identity": {}, "gender": {"head": "gap_bn"}}},
            {"batch normalization": "targets.gender.head", "dropout": "targets.gender.head"},
        ),
        ({"head": "gap_bn", "targets": {"identity": {"head": PLAIN}, "gender": {}}}, {}),  # the network has no shared head
    ],
)
def test_layers_that_depend_on_how_a_batch_is_divided_are_found(changes: dict[str, Any], found: dict[str, str]) -> None:
    assert by_part(Training.model_validate({**TRAINING, **changes})) == found


def test_stochastic_depth_counts_as_dropout() -> None:
    assert _drops(DropPath(0.1))
    assert not _drops(DropPath(0.0))
    assert not _drops(torch.nn.Dropout(0.0))


def test_a_plan_says_where_numbers_depend_on_devices(make: Callable[..., Grid]) -> None:
    heads = {"plain": {"head": PLAIN}, "normalized": {"head": {"name": "gap_bn"}}}
    devices = {"one": {"compute.devices": 1}, "two": {"compute.devices": 2}}
    found = device_lines(make_plan(make(axes={"head": heads, "devices": devices})))
    assert found == [
        "compute.devices 2: batch normalization and dropout of 1 cell per device, so numbers differ from those of one device"
    ]


def test_a_plan_names_decoders_and_float16_too(make: Callable[..., Grid]) -> None:
    changes = {
        "plain": {},
        "joint": {"reconstruction": {"decoder": "unet"}},
        "half": {"compute.precision": "16-mixed"},
    }

    def lines(*overrides: str) -> list[str]:
        return device_lines(make_plan(make("compute.devices=2", *overrides, axes={"change": changes}, base={"head": PLAIN})))

    differ = "of 1 cell per device, so numbers differ from those of one device"
    normalized, half = f"compute.devices 2: batch normalization {differ}", f"compute.devices 2: float16 gradients {differ}"
    assert lines() == [normalized, half]
    assert lines("stages=[decode]") == [
        normalized.replace("1 cell", "2 cells"),
        half.replace("float16", "batch normalization and float16"),
    ]


def test_synchronized_batch_normalization_does_not_depend_on_devices(make: Callable[..., Grid]) -> None:
    found = device_lines(
        make_plan(make("compute.devices=2", "compute.batch_norm=synchronized", axes={}, base={"head": "gap_bn"}))
    )
    assert found == ["compute.devices 2: dropout of 1 cell per device, so numbers differ from those of one device"]


def test_the_defaults_of_shared_state_are_not_part_of_the_id(make: Callable[..., Grid]) -> None:
    def train(*overrides: str) -> str:
        plan = make_plan(make("loss=arcface", "compute.devices=2", *overrides, axes={}))
        return next(stage.id for stage in plan.stages if stage.stage == "train")

    assert train() == train("compute.classes=copied", "compute.batch_norm=local")
    assert len({train(), train("compute.classes=shared"), train("compute.batch_norm=synchronized")}) == 3


def test_the_number_of_devices_is_part_of_the_id(make: Callable[..., Grid]) -> None:
    def train(*overrides: str) -> str:
        plan = make_plan(make(*overrides, axes={}))
        return next(stage.id for stage in plan.stages if stage.stage == "train")

    assert train() == train("compute.devices=1") != train("compute.devices=2")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["compute.devices=0"], "greater than or equal to 1"),
        (["compute.devices=2", "compute.compile=true"], "compute.compile works on one device, and compute.devices is 2"),
        (["compute.classes=shared"], "loss softmax is none of those; leave compute.classes out"),
        (["compute.classes=shared", "loss=arcface + 0.1 center"], "loss sum is none of those"),
        (["compute.classes=shared", "loss=arcface", "targets=[identity, pose]"], "several targets have several losses"),
        (
            ["compute.classes=shared", "loss=arcface", "compute.devices=2", "compute.precision=16-mixed"],
            "use compute.precision bf16-mixed or 32-true",
        ),
        (["compute.devices=5", "recipe.batch_size=4"], "5 devices cannot share 4 images"),
        (["compute.devices=5", "recipe.batch_size=16", "recipe.accumulate=4"], "5 devices cannot share 4 images"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(refused: Callable[..., str], overrides: list[str], words: str) -> None:
    assert words in refused(*overrides)


def test_another_number_of_devices_is_refused_where_it_changes_numbers(make: Callable[..., Grid]) -> None:
    def check(*overrides: str, **base: Any) -> None:
        check_other_devices(make_plan(make("compute.devices=2", *overrides, axes={}, base={"head": PLAIN, **base})))

    check()
    check("launch.devices=2", head="gap_bn")
    check("launch.devices=1")
    check("launch.devices=4", "recipe.batch_size=4")
    check("compute.devices=1", "launch.devices=4", head="gap_bn")
    with pytest.raises(
        BadInput,
        match=r"launch.devices is 1: .*compute.devices, which is 2 \(batch normalization of head, dropout of head\)",
    ):
        check("launch.devices=1", head="gap_bn")
    with pytest.raises(BadInput, match=r"\(dropout of head\); leave launch.devices out"):
        check("launch.devices=1", "compute.batch_norm=synchronized", head="gap_bn")
    with pytest.raises(BadInput, match=r"\(batch normalization of decoder\)"):
        check("launch.devices=1", reconstruction={"decoder": "transposed"})
    with pytest.raises(BadInput, match="devices: 5 devices cannot share 4 images"):
        check("launch.devices=5", "recipe.batch_size=4")


@pytest.mark.parametrize("devices", ["auto", "{at_least: 2}"])
def test_fewer_devices_are_refused_where_they_change_numbers(make: Callable[..., Grid], devices: str) -> None:
    def plan(*overrides: str, **base: Any) -> Plan:
        return make_plan(make(f"launch.devices={devices}", *overrides, axes={}, base={"head": PLAIN, **base}))

    check_other_devices(plan("compute.devices=3"))
    check_other_devices(plan(head="gap_bn"))
    with pytest.raises(
        BadInput,
        match=rf"^launch.devices is {devices}: the numbers of .* on compute.devices, which is 3 \(dropout of head\); leave",
    ):
        check_other_devices(plan("compute.devices=3", "compute.batch_norm=synchronized", head="gap_bn"))
    if devices == "auto":
        with pytest.raises(BadInput, match="which is 2"):
            check_other_devices(plan("compute.devices=2", head="gap_bn"))
    else:
        check_other_devices(plan("compute.devices=2", head="gap_bn"))  # it never has fewer


def test_a_plan_says_how_many_devices_a_training_takes(make: Callable[..., Grid]) -> None:
    axes = {"devices": {f"{number}": {"compute.devices": number} for number in (1, 2, 4)}}

    def lines(devices: Any) -> list[str]:
        return device_lines(make_plan(make(f"launch.devices={devices}", axes=axes, base={"head": PLAIN})))

    many = "as many as the nodes have room for"
    assert lines("auto") == [
        f"launch.devices auto: 1 cell with compute.devices 2: trained on 1 to 2 devices, {many}",
        f"launch.devices auto: 1 cell with compute.devices 4: trained on 1 to 4 devices, {many}",
    ]
    assert lines("{at_least: 2}") == [
        "launch.devices {at_least: 2}: 1 cell with compute.devices 2: trained on 2 devices, as without launch.devices",
        f"launch.devices {{at_least: 2}}: 1 cell with compute.devices 4: trained on 2 to 4 devices, {many}",
    ]
    assert lines(2) == [
        "launch.devices 2: 1 cell with compute.devices 2: trained on 2 devices, as without launch.devices",
        "launch.devices 2: 1 cell with compute.devices 4: trained on 2 devices",
    ]
    assert lines("") == []
    for devices, words in (("auto", "auto"), ("{at_least: 9}", "{at_least: 9}"), (2, "2")):
        (line,) = device_lines(make_plan(make(f"launch.devices={devices}", axes={}, base={"head": PLAIN})))
        assert line == f"launch.devices {words} changes nothing: no cell has compute.devices above 1"
    plan = make_plan(make("launch.devices=auto", axes=axes, base={"head": "gap_bn"}))
    assert not any(line.startswith("launch.devices") for line in device_lines(plan)), "a launch would be refused"
    with pytest.raises(BadInput, match=r"launch\.devices is auto: the numbers of devices=2 depend on"):
        check_other_devices(plan)


def test_a_setting_of_devices_that_is_none_is_refused(refused: Callable[..., str]) -> None:
    for wrong in ("many", "0", "{at_least: 0}", "{most: 2}", "1.5", "true"):
        assert "is none of: a number of devices from 1 on, auto, {at_least: a number" in refused(f"launch.devices={wrong}")


def test_a_single_image_per_device_is_refused_where_it_cannot_be_normalized(make: Callable[..., Grid]) -> None:
    grid = make("compute.devices=3", "recipe.batch_size=4", axes={})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match="cannot be trained on one image at a time"):
        cost(make_plan(grid, None, resolver), resolver)
    wide = make("compute.devices=2", "recipe.batch_size=4", axes={})
    assert cost(make_plan(wide, None, resolver), resolver)["cells"]


def test_a_source_training_with_a_small_batch_is_refused(make: Callable[..., Grid]) -> None:
    recipe = {"name": "one_cycle", "lr": 0.1, "epochs": 1, "batch_size": 2}
    source = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 3, "shots": 5}, "recipe": recipe}
    grid = make("compute.devices=3", axes={}, base={"pretraining": source})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match="3 devices cannot share 2 images"):
        cost(make_plan(grid, None, resolver), resolver)


def test_a_decoder_with_a_small_batch_is_refused(refused: Callable[..., str]) -> None:
    decode = {"name": "decode", "recipe": {"name": "one_cycle", "epochs": 1, "batch_size": 2}}
    assert "3 devices cannot share 2 images" in refused("compute.devices=3", axes={}, stages=[decode])
