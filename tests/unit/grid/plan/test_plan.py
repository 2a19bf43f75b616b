"""The grid is the grid: cells are the enumeration minus the skips, each once; what is shown and kept of them."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import SMALL, folder, stages

from configs.component import Missing
from grid.plan.cost import cost
from grid.plan.inputs import InputResolver
from grid.plan.plan import make_plan, store_of
from grid.plan.study_record import merged
from grid.plan.table import plan_table, searches
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]
Refused = Callable[..., str]


# -- the enumeration

SETTINGS = {
    "rate": ("recipe.lr", [0.1, 0.2, 0.3]),
    "drop": ("head", [{"name": "gap_bn", "dropout": share} for share in (0.1, 0.2, 0.3)]),
    "seed": ("seed", [1, 2, 3]),
    "threads": ("compute.threads", [1, 2, 3]),
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cells_are_the_enumeration_minus_the_skips(make: Make, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(SETTINGS)), unique=True, max_size=4))
    sizes = {axis: data.draw(st.integers(1, 3)) for axis in chosen}
    axes = {
        axis: {f"level {number}": {SETTINGS[axis][0]: SETTINGS[axis][1][number]} for number in range(sizes[axis])}
        for axis in chosen
    }
    rules = []
    for _ in range(data.draw(st.integers(0, 2)) if axes else 0):
        names = data.draw(st.lists(st.sampled_from(chosen), unique=True, min_size=1))
        when = {axis: data.draw(st.lists(st.sampled_from(list(axes[axis])), unique=True, min_size=1)) for axis in names}
        rules.append({"when": when, "because": "the rule says so"})
    plan = make_plan(make(axes=axes, skip=rules, protocols=[], explainers=[]))

    every = [dict(zip(axes, levels, strict=True)) for levels in itertools.product(*axes.values())]
    skipped = [levels for levels in every if any(all(levels[a] in wanted for a, wanted in r["when"].items()) for r in rules)]
    assert [dict(cell.levels) for cell in plan.cells] == every
    assert [dict(cell.levels) for cell in plan.cells if cell.state == "skipped"] == skipped
    ids = [cell.id for cell in plan.cells if cell.id]
    assert len(set(ids)) == len(ids) == len(every) - len(skipped)


def test_ids_do_not_depend_on_the_order_of_the_file(make: Make) -> None:
    def ids(grid: Grid) -> dict[Any, Any]:
        return {frozenset(cell.levels.items()): (cell.id, dict(cell.stages)) for cell in make_plan(grid).cells}

    before = ids(make())
    turned = {axis: dict(reversed(levels.items())) for axis, levels in reversed(SMALL["axes"].items())}
    assert ids(make(axes=turned, base=dict(reversed(SMALL["base"].items())))) == before


def test_a_new_axis_with_a_birth_level_keeps_the_ids_of_old_cells(make: Make) -> None:
    before = {cell.id for cell in make_plan(make()).cells}
    axes = {**SMALL["axes"], "augmentation": {"none": {"augmentation.name": "none"}, "flip": {"augmentation.name": "flip"}}}
    born = make_plan(make(axes=axes, births={"augmentation": "none"})).cells
    assert {cell.id for cell in born if cell.levels["augmentation"] == "none"} == before
    assert not {cell.id for cell in born if cell.levels["augmentation"] == "flip"} & before
    assert not {cell.id for cell in make_plan(make(axes=axes)).cells} & before


def test_where_selects_cells(make: Make) -> None:
    plan = make_plan(make(), {"rate": ["low"], "detection": ["none", "mtcnn"]})
    assert [dict(cell.levels) for cell in plan.cells] == [
        {"detection": "none", "rate": "low"}, {"detection": "mtcnn", "rate": "low"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ({"rat": ["low"]}, "--where: unknown axis 'rat'; did you mean 'rate'? (known: detection, rate)"),
        ({"rate": ["slow"]}, "--where: axis 'rate' has no level 'slow'; did you mean 'low'? (known: high, low)"),
    ],
)
def test_an_unknown_level_is_refused(make: Make, refused: Refused, where: Any, complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        make_plan(make(), where)
    assert str(error.value) == complaint


def test_shared_stages_are_listed_once_with_the_cells_that_use_them(make: Make) -> None:
    plan = make_plan(make())
    (shared,) = stages(plan, "detect:data")
    assert set(shared.cells) == {cell.id for cell in plan.cells if cell.levels["detection"] == "mtcnn"}
    for stage in plan.stages:
        assert len(stage.cells) == len(set(stage.cells))
    for cell in plan.cells:
        for label, id in cell.stages.items():
            (stage,) = (one for one in plan.stages if one.id == id)
            assert cell.id in stage.cells
            assert stage.stage == label.partition(":")[0]


def test_one_detection_for_two_uses_is_one_stage_of_each_cell(make: Make) -> None:
    source = {"pretraining": {"name": "source", "data": SMALL["base"]["data"], "detector": "mtcnn", "epochs": 1}}
    plan = make_plan(make(axes={}, base={**source, "detector": "mtcnn"}))
    (cell,) = plan.cells
    assert cell.stages["detect:data"] == cell.stages["detect:source"]
    (stage,) = (one for one in plan.stages if one.id == cell.stages["detect:data"])
    assert stage.cells == (cell.id,)


# -- twins


def test_two_levels_that_give_the_same_cell_are_refused(refused: Refused) -> None:
    axes = {"rate": {"low": {"recipe.lr": 0.01}, "lower": {"recipe.lr": 0.01}}}
    assert "two combinations give the same cell: rate=low and rate=lower; remove a level or skip one" in refused(axes=axes)


def test_replicates_that_repeat_nothing_are_refused(refused: Refused) -> None:
    said = refused(axes={}, replicates=2, replicate_scope=["pretrain"])
    assert "the same cell: replicate=0 and replicate=1" in said


def folders(make: Make, tmp_path: Path, *levels: int) -> Grid:
    axes = {"data": {f"v{n}": {"data.root": folder(tmp_path / f"data{n}", level)} for n, level in enumerate(levels)}}
    return make(axes=axes, base={"data": {"name": "folder", "root": "x"}})


def test_two_places_with_other_content_are_two_cells(make: Make, tmp_path: Path) -> None:
    grid = folders(make, tmp_path, 1, 50)
    assert [cell.state for cell in make_plan(grid).cells] == ["pending", "pending"]
    resolver = InputResolver(store_of(grid))
    for one in grid.combinations():
        assert one.cell is not None
        resolver.scan(one.cell.data)
    assert [cell.state for cell in make_plan(grid).cells] == ["run", "run"]


def test_two_places_with_the_same_content_are_twins(make: Make, tmp_path: Path) -> None:
    grid = folders(make, tmp_path, 1, 1)
    resolver = InputResolver(store_of(grid))
    for one in grid.combinations():
        assert one.cell is not None
        resolver.scan(one.cell.data)
    with pytest.raises(BadInput, match="two combinations give the same cell"):
        make_plan(grid)


# -- what is shown and kept


def test_the_record_is_json_of_the_documented_shape(make: Make) -> None:
    grid = make(skip=[{"when": {"detection": "mtcnn", "rate": "high"}, "because": "once is enough"}])
    plan = make_plan(grid)
    record = plan.record()
    assert list(record) == ["grid", "axes", "replicates", "replicate_scope", "ensembles", "cells", "names", "stages"]
    assert all(list(cell) == ["id", "levels", "state", "reason", "stages"] for cell in record["cells"])
    assert {cell["reason"] for cell in record["cells"] if cell["state"] == "skipped"} == {"once is enough"}
    assert record["axes"] == {"detection": ["none", "mtcnn"], "rate": ["low", "high"]}
    known = {stage["id"] for stage in record["stages"]}
    assert all(set(cell["stages"].values()) <= known for cell in record["cells"])
    assert record["names"]["evaluate:drawn"] == ["evaluate", "drawn"]


def test_cells_that_left_the_grid_stay_in_the_record_hidden(make: Make) -> None:
    first = merged(make_plan(make()).record(), None)
    axes = {**SMALL["axes"], "rate": {"high": {"recipe.lr": 0.2}}}
    second = merged(make_plan(make(axes=axes)).record(), first)
    assert [cell["levels"]["rate"] for cell in second["hidden"]] == ["low", "low"]
    known = {stage["id"] for stage in second["stages"]}
    assert all(set(cell["stages"].values()) <= known for cell in second["hidden"])
    third = merged(make_plan(make()).record(), second)
    assert third["hidden"] == []


def test_stages_that_no_cell_asks_for_any_more_stay_in_the_record_since_what_was_spent_on_them_counts(make: Make) -> None:
    first = merged(make_plan(make()).record(), None)
    second = merged(make_plan(make(protocols=[])).record(), {**first, "pruned": [{"number": 1}]})
    assert {stage["id"] for stage in second["stages"]} == {stage["id"] for stage in first["stages"]}
    assert not second["hidden"], "the cells are the same"
    assert second["pruned"] == [{"number": 1}]


def test_a_plan_is_shown_with_states_reasons_and_costs(make: Make, tmp_path: Path) -> None:
    from rich.console import Console

    axes = {"data": {"[drawn]": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}}
    grid = make(axes=axes, replicates=2)
    resolver = InputResolver(store_of(grid))
    plan = make_plan(grid, None, resolver)
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(plan_table(plan, cost(plan, resolver)))
    text = console.export_text()
    assert "[drawn]" in text
    assert "blocked (2): no folder" in text
    refused = "A launch is refused while cells are blocked; without them it would run 2 train, 2 evaluate, 2 explain."
    assert f"4 cells: 2 to run, 2 blocked. {refused}" in text
    assert "2 replicates repeat train under other seeds; fewer than 5 seeds" in text


def test_a_cost_is_counted_for_blocked_cells_too(make: Make, tmp_path: Path) -> None:
    grid = make(axes={"data": {"drawn": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}})
    resolver = InputResolver(store_of(grid))
    plan = make_plan(grid, None, resolver)
    costs = cost(plan, resolver)
    (counted,) = costs["cells"].values()
    # 4 subjects x 4 shots, nine tenths of them, two epochs; a backward pass costs two forward passes
    assert counted["training_flops"] == costs["training_flops"] == round(3 * counted["flops"] * 16 * 0.9 * 2)
    assert counted["disk_bytes"] == 4 * counted["parameters"] * (2 * 2 + 1)  # nag keeps one tensor per parameter


@pytest.mark.parametrize("base", [{}, {"targets": {"gender": {"loss": "binary"}}}])
def test_networks_are_checked_and_counted_once_however_many_cells_have_them(
    make: Make, monkeypatch: pytest.MonkeyPatch, base: dict[str, Any]
) -> None:
    axes = {
        "backbone": {"alexnet": {"backbone": "alexnet"}, "resnet34": {"backbone": "resnet34"}},
        "rate": {f"r{number}": {"recipe.lr": 0.01 * number} for number in range(1, 5)},
    }
    plan = make_plan(make(base=base, axes=axes, explainers=[], protocols=[]))
    checked = []
    monkeypatch.setattr("grid.plan.cost.freezing.check", lambda backbone, trainable: checked.append(backbone))
    assert len(cost(plan, plan.resolver)["cells"]) == 8
    assert len(checked) == 2


def test_an_input_too_small_for_the_network_is_refused(make: Make, refused: Refused) -> None:
    grid = make("input.size=32", axes={})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match=r"grid.yaml: cell the only cell: .*32") as error:
        cost(make_plan(grid, None, resolver), resolver)
    assert "\n" not in str(error.value)


def test_a_layer_that_no_network_has_is_met_before_anything_runs(make: Make) -> None:
    axes = {"backbone": {"alexnet": {"backbone": "alexnet"}, "resnet34": {"backbone": "resnet34"}}}
    for layer, where in (("layer4", None), ("layer4", {"backbone": ["alexnet"]})):  # alexnet alone will be refused, with a code
        grid = make(axes=axes, explainers=[{"name": "gradcam", "layer": layer}])
        resolver = InputResolver(store_of(grid))
        cost(make_plan(grid, where, resolver), resolver)
    grid = make(axes=axes, explainers=[{"name": "gradcam", "layer": "layre4"}])
    resolver = InputResolver(store_of(grid))
    with pytest.raises(
        BadInput, match=r"explainer gradcam: layer 'layre4' is a stage of no .*; did you mean 'layer4'\? \(known"
    ):
        cost(make_plan(grid, None, resolver), resolver)


def test_missing_says_what_to_do() -> None:
    assert str(Missing("no folder x", "get it")) == "no folder x; get it"


def test_a_plan_of_images_never_read_promises_no_empty_launch(make: Make, tmp_path: Path) -> None:
    import io

    from PIL import Image
    from rich.console import Console

    for subject in "ab":
        for number in range(3):
            file = tmp_path / "faces" / subject / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), (40 * number, 0, 80)).save(file)
    grid = make(base={"data": {"name": "folder", "root": str(tmp_path / "faces")}})
    resolver = InputResolver(store_of(grid))
    plan = make_plan(grid, None, resolver)
    console = Console(width=300, file=io.StringIO())
    console.print(plan_table(plan, cost(plan, resolver)))
    total = console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]
    assert total.startswith("4 cells: 4 pending. A launch would read the images")
    assert "nothing" not in total
    assert "FLOPs" not in total


@pytest.mark.parametrize("changes", [{"recipe.batch_size": 1}, {"recipe.batch_size": 4, "recipe.accumulate": 4}])
def test_batches_of_one_image_are_refused_where_the_network_normalizes_over_the_batch(
    make: Make, changes: dict[str, int]
) -> None:
    overrides = [f"{key}={value}" for key, value in changes.items()]
    grid = make(*overrides, axes={})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(
        BadInput, match=r"grid.yaml: cell the only cell: recipe.batch_size: alexnet with head gap_bn cannot"
    ) as error:
        cost(make_plan(grid, None, resolver), resolver)
    assert "\n" not in str(error.value)
    grid = make(*overrides, "head=l2", axes={})
    cost(make_plan(grid, None, resolver), resolver)


def test_one_image_per_device_suffices_where_batch_normalization_is_synchronized(make: Make) -> None:
    grid = make("compute.devices=2", "recipe.batch_size=2", axes={})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match="cannot be trained on one image at a time"):
        cost(make_plan(grid, None, resolver), resolver)
    grid = make("compute.devices=2", "recipe.batch_size=2", "compute.batch_norm=synchronized", axes={})
    cost(make_plan(grid, None, resolver), resolver)


def test_batches_of_one_image_are_refused_in_a_pretraining_too(make: Make) -> None:
    recipe = {"name": "one_cycle", "epochs": 1, "batch_size": 1}
    pretraining = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4}, "recipe": recipe}
    grid = make(axes={}, base={"pretraining": pretraining})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match="cannot be trained on one image at a time"):
        cost(make_plan(grid, None, resolver), resolver)


def test_a_trained_pretraining_counts_once_for_all_cells_that_start_from_it(make: Make) -> None:
    source = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4, "shots": 5}, "epochs": 3}
    axes = {"pretraining": {"none": {}, "source": {"pretraining": source}}}
    several = make(axes={**axes, "subjects": {"four": {}, "five": {"data.subjects": 5}}})
    found = cost(plan := make_plan(several), plan.resolver)
    trained = {cell.stages["train"]: found["cells"][cell.id] for cell in plan.cells}
    (stage,) = {cell.stages["pretrain"] for cell in plan.cells if "pretrain" in cell.stages}
    alone = sum(one["training_flops"] for one in trained.values()), sum(one["disk_bytes"] for one in trained.values())
    one = next(iter(trained.values()))
    # 4 subjects x 5 shots, nine tenths of them, three epochs; the same network but for the classes
    extra = found["training_flops"] - alone[0]
    assert extra == pytest.approx(3 * one["flops"] * 20 * 0.9 * 3, rel=0.01)
    assert found["disk_bytes"] - alone[1] == pytest.approx(one["disk_bytes"], rel=0.01)
    assert stage


def test_the_cost_of_a_search_is_that_of_its_largest_trial_in_every_place(make: Make) -> None:
    search = {"trials": 4, "rungs": [1, 3], "reduction": 2, "space": {"layers": [1, 2], "widths": [8, 64], "step": 8}}
    base = {"head": "dense", "targets": {"gender": {"loss": "binary"}}}
    axes = {"layers": {"plain": {}, "searched": {"search": search}}}
    plan = make_plan(make(base=base, axes=axes, explainers=[], protocols=[]))
    found = cost(plan, plan.resolver)
    plain, searched = (found["cells"][cell.id] for cell in plan.cells)
    heads = plan.cells[1].cell.search.heads(plan.cells[1].cell.head)
    alone = {f"t{number}": {"head": head.model_dump(mode="json")} for number, head in enumerate(heads)}
    each = cost(other := make_plan(make(base=base, axes={"layers": alone}, explainers=[], protocols=[])), other.resolver)
    assert searched["parameters"] == max(one["parameters"] for one in each["cells"].values())
    assert searched["flops"] == max(one["flops"] for one in each["cells"].values())
    epochs = 2  # of the cell; the trials: 4 x 1, then 2 x 2 more
    trials = searched["training_flops"] / epochs * (4 * 1 + 2 * 2)
    assert found["training_flops"] == plain["training_flops"] + searched["training_flops"] + round(trials)
    kept = 4 * searched["parameters"]
    assert found["disk_bytes"] == plain["disk_bytes"] + searched["disk_bytes"] + 6 * (searched["disk_bytes"] - kept)


def test_the_cost_of_an_asynchronous_search_is_that_of_as_many_trials_as_may_go_on(make: Make) -> None:
    space = {"layers": [1, 1], "widths": [8, 8], "step": 8}
    search = {"trials": 6, "rungs": [1, 3], "reduction": 3, "space": space, "scheduler": "asha"}
    base = {"head": "dense", "targets": {"gender": {"loss": "binary"}}}
    plan = make_plan(make(base=base, axes={"layers": {"searched": {"search": search}}}, explainers=[], protocols=[]))
    found = cost(plan, plan.resolver)
    (cell,) = found["cells"].values()
    assert found["training_flops"] == cell["training_flops"] + round(cell["training_flops"] / 2 * (6 * 1 + 4 * 2))
    (line,) = searches(plan)
    assert "6 trials, 6 for 1 epoch, at least 2 for 3 epochs, by validation_loss: 12 of 12 trainings to run" in line
