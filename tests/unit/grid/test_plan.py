"""The grid is the grid: cells are the enumeration minus the skips, with states that the ledger gives."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.component import Missing
from configs.kinds import ProtocolConfig
from datamodules.datasets.drawn import Config as Drawn
from grid.cost import cost
from grid.ledger import Ledger
from grid.plan import Plan, PlannedStage, make_plan, merged, store_of
from grid.show import show_plan
from grid.spec import BadInput, Grid, read
from grid.world import World

BASE: dict[str, Any] = {
    "name": "small",
    "base": {
        "data": {"name": "drawn", "persons": 4, "shots": 4},
        "input": {"size": 64},
        "backbone": "alexnet",
        "recipe": {"name": "one_cycle", "epochs": 2},
    },
    "axes": {
        "detection": {"none": {"detector.name": "none"}, "mtcnn": {"detector.name": "mtcnn"}},
        "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}},
    },
    "protocols": [{"name": "drawn", "persons": 20, "shots": 8, "folds": 5}],
    "explainers": [{"name": "gradcam", "images": 2}],
}
Make = Callable[..., Grid]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*overrides: str, **parts: Any) -> Grid:
        file = tmp_path / "grid.yaml"
        file.write_text(yaml.safe_dump({**BASE, "launch": {"study": str(tmp_path / "study")}, **parts}, sort_keys=False))
        return read(file, overrides)

    return make


def finish(grid: Grid, stage: PlannedStage, text: str = "", source: str | None = None) -> None:
    """Leaves a finished stage in the ledger, made from what is there."""
    ledger = Ledger(store_of(grid))
    attempt = ledger.begin(stage.stage, stage.id, stage.node.identity)
    (attempt.path / "output").write_text(text or stage.id)
    kinds = {planned.id: planned.stage for planned in make_plan(grid).stages}
    markers = {need: ledger.marker(kinds[need], need) for need in stage.needs}
    inputs = {need: marker.content if marker else "nothing" for need, marker in markers.items()}
    attempt.finish({}, inputs, source or stage.source, ["output"])


def finish_all(grid: Grid) -> Plan:
    for stage in make_plan(grid).stages:
        finish(grid, stage)
    return make_plan(grid)


def stages(plan: Plan, label: str) -> list[PlannedStage]:
    return [stage for stage in plan.stages if stage.label == label]


def refused(make: Make, *overrides: str, **parts: Any) -> str:
    with pytest.raises(BadInput) as error:
        make_plan(make(*overrides, **parts))
    assert "\n" not in str(error.value)
    return str(error.value)


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
    turned = {axis: dict(reversed(levels.items())) for axis, levels in reversed(BASE["axes"].items())}
    assert ids(make(axes=turned, base=dict(reversed(BASE["base"].items())))) == before


def test_a_new_axis_with_a_birth_level_keeps_the_ids_of_old_cells(make: Make) -> None:
    before = {cell.id for cell in make_plan(make()).cells}
    axes = {**BASE["axes"], "augmentation": {"none": {"augmentation.name": "none"}, "flip": {"augmentation.name": "flip"}}}
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
def test_an_unknown_level_is_refused(make: Make, where: Any, complaint: str) -> None:
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
    source = {"pretraining": {"name": "source", "data": BASE["base"]["data"], "detector": "mtcnn", "epochs": 1}}
    plan = make_plan(make(axes={}, base={**BASE["base"], **source, "detector": "mtcnn"}))
    (cell,) = plan.cells
    assert cell.stages["detect:data"] == cell.stages["detect:source"]
    (stage,) = (one for one in plan.stages if one.id == cell.stages["detect:data"])
    assert stage.cells == (cell.id,)


# -- twins


def test_two_levels_that_give_the_same_cell_are_refused(make: Make) -> None:
    axes = {"rate": {"low": {"recipe.lr": 0.01}, "lower": {"recipe.lr": 0.01}}}
    assert "two combinations give the same cell: rate=low and rate=lower; remove a level or skip one" in refused(
        make, axes=axes
    )


def test_replicates_that_repeat_nothing_are_refused(make: Make) -> None:
    said = refused(make, axes={}, replicates=2, replicate_scope=["pretrain"])
    assert "the same cell: replicate=0 and replicate=1" in said


def folder(place: Path, level: int) -> str:
    import cv2
    import numpy as np

    for person in "abc":
        (place / person).mkdir(parents=True)
        for number in range(3):
            assert cv2.imwrite(
                str(place / person / f"{number}.png"), np.full((40, 40, 3), level + number + ord(person), np.uint8)
            )
    return str(place)


def folders(make: Make, tmp_path: Path, *levels: int) -> Grid:
    axes = {"data": {f"v{n}": {"data.root": folder(tmp_path / f"data{n}", level)} for n, level in enumerate(levels)}}
    return make(axes=axes, base={**BASE["base"], "data": {"name": "folder", "root": "x"}})


def test_two_places_with_other_content_are_two_cells(make: Make, tmp_path: Path) -> None:
    grid = folders(make, tmp_path, 1, 50)
    assert [cell.state for cell in make_plan(grid).cells] == ["pending", "pending"]
    world = World(store_of(grid))
    for one in grid.combinations():
        assert one.cell is not None
        world.scan(one.cell.data)
    assert [cell.state for cell in make_plan(grid).cells] == ["run", "run"]


def test_two_places_with_the_same_content_are_twins(make: Make, tmp_path: Path) -> None:
    grid = folders(make, tmp_path, 1, 1)
    world = World(store_of(grid))
    for one in grid.combinations():
        assert one.cell is not None
        world.scan(one.cell.data)
    with pytest.raises(BadInput, match="two combinations give the same cell"):
        make_plan(grid)


# -- what is absent, and what was never read


def test_images_that_were_never_read_make_a_cell_pending(make: Make, tmp_path: Path) -> None:
    grid = make(axes={}, base={**BASE["base"], "data": {"name": "folder", "root": folder(tmp_path / "data", 1)}})
    world = World(store_of(grid))
    plan = make_plan(grid, None, world)
    (cell,) = plan.cells
    assert (cell.id, cell.state, dict(cell.stages)) == (None, "pending", {})
    assert "the images of folder were never read: ids are pending; launch reads them once" in str(cell.reason)
    assert plan.counts() == {"pending": 1}
    assert [data.name for data in world.unread.values()] == ["folder"]


def test_a_blocked_cell_names_all_that_is_absent(make: Make, tmp_path: Path) -> None:
    base = {
        **BASE["base"],
        "data": {"name": "folder", "root": str(tmp_path / "train")},
        "pretraining": {"name": "checkpoint", "path": str(tmp_path / "model.pth")},
    }
    protocols = [
        {"name": "lfw", "root": str(tmp_path / "lfw")},
        {"name": "lfw", "view": 1, "label": "b", "root": str(tmp_path / "lfw")},
    ]
    plan = make_plan(make(axes={}, base=base, protocols=protocols))
    (cell,) = plan.cells
    assert cell.state == "blocked"
    parts = str(cell.reason).split("; also: ")
    assert len(parts) == 3  # both protocols miss the same folder
    for part, wanted in zip(parts, ("checkpoint", "no folder", "with LFW"), strict=True):
        assert wanted in part
    assert plan.counts() == {"blocked": 1}


def test_what_is_absent_outweighs_what_was_never_read(make: Make, tmp_path: Path) -> None:
    base = {**BASE["base"], "data": {"name": "folder", "root": folder(tmp_path / "data", 1)}}
    plan = make_plan(make(axes={}, base=base, protocols=[{"name": "lfw", "root": str(tmp_path / "lfw")}]))
    assert plan.cells[0].state == "blocked"
    assert "never read" not in str(plan.cells[0].reason)


def test_the_rest_of_a_grid_is_planned_around_a_blocked_cell(make: Make, tmp_path: Path) -> None:
    axes = {"data": {"drawn": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}}
    plan = make_plan(make(axes=axes))
    assert [cell.state for cell in plan.cells] == ["run", "blocked"]
    assert plan.counts() == {"run": 1, "blocked": 1}


def test_a_pretraining_whose_data_is_absent_blocks(make: Make, tmp_path: Path) -> None:
    source = {"name": "source", "data": {"name": "folder", "root": str(tmp_path / "no")}}
    plan = make_plan(make(axes={}, base={**BASE["base"], "pretraining": source}))
    assert (plan.cells[0].state, "no folder" in str(plan.cells[0].reason)) == ("blocked", True)


# -- impossible combinations


def test_weights_that_nobody_published_are_refused(make: Make) -> None:
    said = refused(make, axes={"start": {"imagenet": {"backbone": "mobilenetv3_small", "pretraining.name": "imagenet"}}})
    assert "grid.yaml: cell start=imagenet: no pinned ImageNet weights for " in said
    assert said.endswith("add a skip rule with that reason")


def test_a_checkpoint_of_another_architecture_is_refused(make: Make, tmp_path: Path) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    base = {**BASE["base"], "pretraining": {"name": "checkpoint", "path": str(tmp_path / "other.pth")}}
    said = refused(make, axes={}, base=base)
    assert "cell the only cell: backbone alexnet: " in said
    assert str(tmp_path / "other.pth") in said


def test_one_person_cannot_be_trained_on(make: Make) -> None:
    said = refused(make, "data.persons=1", axes={})
    assert said.endswith("training needs two persons at least; drawn has 1")


def test_two_protocols_of_one_name_are_refused(make: Make) -> None:
    assert "two protocols are called 'drawn'; give one a `label`" in refused(make, protocols=[BASE["protocols"][0]] * 2)


# -- people in training set and protocol


def test_people_who_were_trained_on_are_refused_with_counts(make: Make) -> None:
    protocol = {"name": "drawn", "persons": 20, "first": 2, "shots": 8, "folds": 5}  # persons 2 and 3 are trained on
    said = refused(make, axes={}, protocols=[protocol])
    pairs = Overlap(make, protocol)
    assert (
        f"protocol drawn: 2 of its people are in the training set, so {pairs.of - pairs.free} of its {pairs.of} pairs" in said
    )
    assert f"`overlap: drop` evaluates the {pairs.free} pairs that are free of them" in said


class Overlap:
    """The pairs of a drawn protocol that are free of persons 0 to 3, counted one by one."""

    def __init__(self, make: Make, protocol: dict[str, Any]) -> None:
        (one,) = make(axes={}, protocols=[protocol]).combinations()
        assert one.cell is not None
        self.protocol: ProtocolConfig = one.cell.protocols[0]
        manifest = Drawn.manifest(self.protocol.dataset(), Path())
        found = self.protocol.pairs(manifest)
        trained = {f"person-{number:05d}" for number in range(4)}
        rows = zip(found.left, found.right, found.same, strict=True)
        keep = [
            (manifest.keys[left], manifest.keys[right], bool(same))
            for left, right, same in rows
            if not {manifest.identities[left], manifest.identities[right]} & trained
        ]
        self.of, self.free, self.kept = len(found.left), len(keep), keep


def test_people_who_were_trained_on_can_be_dropped(make: Make, tmp_path: Path) -> None:
    protocol = {"name": "drawn", "persons": 20, "first": 2, "shots": 8, "folds": 5, "overlap": "drop"}
    grid = make(axes={}, protocols=[protocol])
    (one,) = grid.combinations()
    assert one.cell is not None
    world = World(tmp_path)
    left = world.kept_pairs(one.cell.protocols[0], one.cell)
    keys = world.manifest(world.dataset(one.cell.protocols[0])).keys
    wanted = Overlap(make, protocol)
    assert 0 < wanted.free < wanted.of
    found = [(keys[a], keys[b], bool(same)) for a, b, same in zip(left.left, left.right, left.same, strict=True)]
    assert found == wanted.kept
    assert make_plan(grid).cells[0].state == "run"


def test_people_of_the_pretraining_count_as_trained_on(make: Make) -> None:
    source = {"name": "source", "data": {"name": "drawn", "first": 1000, "persons": 2, "shots": 4}}
    said = refused(make, axes={}, base={**BASE["base"], "pretraining": source})
    assert "2 of its people are in the training set" in said


def test_a_protocol_that_loses_every_genuine_or_impostor_pair_is_refused(make: Make) -> None:
    protocol = {"name": "drawn", "persons": 4, "first": 1, "shots": 8, "folds": 1, "overlap": "drop", "pairs_per_fold": 40}
    said = refused(make, axes={}, protocols=[protocol])
    assert said.endswith("without the people of the training set no impostor pair remains") or "no genuine pair" in said


def test_other_populations_have_other_people(make: Make) -> None:
    protocol = {"name": "drawn", "persons": 20, "first": 0, "shots": 8, "folds": 5, "seed": 5}
    assert make_plan(make(axes={}, protocols=[protocol])).cells[0].state == "run"


# -- states


def test_everything_is_to_run_on_an_empty_ledger(make: Make) -> None:
    plan = make_plan(make())
    assert plan.counts() == {"run": 4}
    assert {stage.id for stage in plan.open} == {stage.id for stage in plan.stages}


def test_a_complete_grid_is_done_and_runs_nothing(make: Make) -> None:
    plan = finish_all(make())
    assert plan.counts() == {"done": 4}
    assert plan.open == []


def test_a_new_level_runs_its_own_cells(make: Make) -> None:
    finish_all(make())
    axes = {**BASE["axes"], "rate": {**BASE["axes"]["rate"], "top": {"recipe.lr": 0.5}}}
    plan = make_plan(make(axes=axes))
    assert plan.counts() == {"done": 4, "run": 2}
    assert sorted(stage.stage for stage in plan.open) == ["evaluate"] * 2 + ["explain"] * 2 + ["train"] * 2


def test_a_new_explainer_trains_nothing(make: Make) -> None:
    finish_all(make())
    plan = make_plan(
        make(explainers=[*BASE["explainers"], {"name": "gradcam", "label": "shallow", "min_side": 8, "images": 2}])
    )
    assert plan.counts() == {"run": 4}
    assert {stage.label for stage in plan.open} == {"explain:shallow"}


def test_a_failed_stage_fails_its_cells_and_stops_what_needs_it(make: Make) -> None:
    grid = make()
    ledger = Ledger(store_of(grid))
    (detect,) = stages(make_plan(grid), "detect:data")
    ledger.begin("detect", detect.id, {}).fail("ValueError: no face", "", deterministic=True)
    plan = make_plan(grid)
    assert plan.counts() == {"run": 2, "failed": 2}
    assert {cell.reason for cell in plan.cells if cell.state == "failed"} == {"ValueError: no face"}
    mtcnn = {
        id for cell in plan.cells if cell.state == "failed" for label, id in cell.stages.items() if label != "detect:drawn"
    }
    assert not mtcnn & {stage.id for stage in plan.open}
    ledger.forgive("detect", detect.id)
    assert make_plan(grid).counts() == {"run": 4}


def test_other_sources_make_a_stage_stale(make: Make) -> None:
    grid = make(axes={})
    for stage in make_plan(grid).stages:
        finish(grid, stage, source="older" if stage.stage == "train" else None)
    plan = make_plan(grid)
    assert (plan.cells[0].state, plan.cells[0].reason) == ("stale", "it ran under other sources; --retry stale runs it again")
    assert plan.open == []


@pytest.mark.parametrize("damage", ["output gone", "output cut", "marker cut"])
def test_a_damaged_stage_is_to_run_again(make: Make, damage: str) -> None:
    grid = make(axes={})
    plan = finish_all(grid)
    (train,) = stages(plan, "train")
    folder = store_of(grid) / "train" / train.id
    (output,) = folder.glob("0*/output")
    if damage == "output gone":
        output.unlink()
    elif damage == "output cut":
        output.write_text("x")
    else:
        (folder / "done-000.json").write_text("{")
    again = make_plan(grid)
    assert stages(again, "train")[0].state == "run"
    assert stages(again, "train")[0].reason
    assert again.counts() == {"run": 1}


def test_what_was_made_from_another_input_is_to_run_again(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    (train,) = stages(make_plan(grid), "train")
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train, "another model")
    plan = make_plan(grid)
    assert {stage.label: stage.state for stage in plan.stages} == {
        "train": "done", "evaluate:drawn": "run", "explain:gradcam": "run",
    }  # fmt: skip
    assert {stage.reason for stage in plan.open} == {"what it was computed from has changed"}


def test_what_is_made_again_alike_leaves_the_rest_alone(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    (train,) = stages(make_plan(grid), "train")
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train)
    assert make_plan(grid).counts() == {"done": 1}


def test_studies_share_stages_through_a_store(make: Make, tmp_path: Path) -> None:
    store = f"launch.store={tmp_path / 'shared'}"
    finish_all(make(store))
    axes = {**BASE["axes"], "rate": {"high": {"recipe.lr": 0.2}}}
    other = make(store, f"launch.study={tmp_path / 'other'}", name="other", axes=axes)
    assert make_plan(other).counts() == {"done": 2}


# -- what is shown and kept


def test_the_record_is_json_of_the_documented_shape(make: Make) -> None:
    grid = make(skip=[{"when": {"detection": "mtcnn", "rate": "high"}, "because": "once is enough"}])
    plan = make_plan(grid)
    record = plan.record()
    assert list(record) == ["grid", "axes", "replicates", "replicate_scope", "cells", "stages"]
    assert all(list(cell) == ["id", "levels", "state", "reason", "stages"] for cell in record["cells"])
    assert {cell["reason"] for cell in record["cells"] if cell["state"] == "skipped"} == {"once is enough"}
    assert record["axes"] == {"detection": ["none", "mtcnn"], "rate": ["low", "high"]}
    known = {stage["id"] for stage in record["stages"]}
    assert all(set(cell["stages"].values()) <= known for cell in record["cells"])


def test_cells_that_left_the_grid_stay_in_the_record_hidden(make: Make) -> None:
    first = merged(make_plan(make()).record(), None)
    axes = {**BASE["axes"], "rate": {"high": {"recipe.lr": 0.2}}}
    second = merged(make_plan(make(axes=axes)).record(), first)
    assert [cell["levels"]["rate"] for cell in second["hidden"]] == ["low", "low"]
    known = {stage["id"] for stage in second["stages"]}
    assert all(set(cell["stages"].values()) <= known for cell in second["hidden"])
    third = merged(make_plan(make()).record(), second)
    assert third["hidden"] == []


def test_a_plan_is_shown_with_states_reasons_and_costs(make: Make, tmp_path: Path) -> None:
    from rich.console import Console

    axes = {"data": {"[drawn]": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}}
    grid = make(axes=axes, replicates=2)
    world = World(store_of(grid))
    plan = make_plan(grid, None, world)
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(show_plan(plan, cost(plan, world)))
    text = console.export_text()
    assert "[drawn]" in text
    assert "blocked (2): no folder" in text
    assert "4 cells: 2 run, 2 blocked. A launch would run 2 train, 2 evaluate, 2 explain." in text
    assert "2 replicates repeat train under other seeds; so few seeds" in text


def test_a_cost_is_counted_for_blocked_cells_too(make: Make, tmp_path: Path) -> None:
    grid = make(axes={"data": {"drawn": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}})
    world = World(store_of(grid))
    plan = make_plan(grid, None, world)
    costs = cost(plan, world)
    (counted,) = costs["cells"].values()
    # 4 persons x 4 shots, nine tenths of them, two epochs; a backward pass costs two forward passes
    assert counted["training_flops"] == costs["training_flops"] == round(3 * counted["flops"] * 16 * 0.9 * 2)
    assert counted["disk_bytes"] == 4 * counted["parameters"] * (2 * 2 + 1)  # nag keeps one tensor per parameter


def test_an_input_too_small_for_the_network_is_refused(make: Make) -> None:
    grid = make("input.size=32", axes={})
    world = World(store_of(grid))
    with pytest.raises(BadInput, match=r"grid.yaml: cell the only cell: .*32") as error:
        cost(make_plan(grid, None, world), world)
    assert "\n" not in str(error.value)


def test_missing_says_what_to_do() -> None:
    assert str(Missing("no folder x", "get it")) == "no folder x; get it"
