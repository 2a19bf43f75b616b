"""A grid file, resolved: what levels set, what order cannot change, and how bad input is met."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import SMALL

from configs.component import canonical
from grid.spec.grid_file import BadInput, Combination, Grid, read

Make = Callable[..., Grid]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "grid.yaml"


@pytest.fixture
def make(file: Path) -> Make:
    """``make(axes=..., overrides=[...])`` reads SMALL with such parts."""

    def make(overrides: tuple[str, ...] = (), **parts: Any) -> Grid:
        file.write_text(yaml.safe_dump({**SMALL, **parts}, sort_keys=False))
        return read(file, overrides)

    return make


def cells(grid: Grid) -> list[Combination]:
    return list(grid.combinations())


def only(grid: Grid) -> Any:
    (found,) = cells(grid)
    return found.cell


def refused(make: Make, *overrides: str, **parts: Any) -> str:
    """The complaint about a grid, which is one line."""
    with pytest.raises(BadInput) as error:
        cells(make(overrides, **parts))
    assert "\n" not in str(error.value)
    return str(error.value)


# -- what levels set


def test_levels_set_dotted_keys_and_whole_components(make: Make) -> None:
    found = {tuple(one.levels.values()): one.cell for one in cells(make())}
    assert set(found) == set(itertools.product(["none", "mtcnn"], ["low", "high"]))
    cell: Any = found["mtcnn", "high"]
    assert (cell.detector.alignment.margin, cell.recipe.lr, cell.recipe.epochs) == (8, 0.2, 2)


def test_choosing_a_component_resets_its_keys(make: Make) -> None:
    axes = {"recipe": {"plateau": {"recipe.name": "plateau"}, "same": {"recipe.name": "one_cycle", "recipe.rise": 0.4}}}
    plateau, same = (one.cell for one in cells(make(axes=axes)))
    assert plateau is not None
    assert same is not None
    assert (plateau.recipe.name, plateau.recipe.lr, plateau.recipe.epochs) == ("plateau", 0.01, 100)
    assert (same.recipe.rise, same.recipe.epochs) == (0.4, 8)


def test_one_axis_may_choose_what_another_adjusts(make: Make) -> None:
    axes = {
        "a": {"slow": {"recipe.lr": 0.001}, "fast": {"recipe.lr": 1.0}},
        "b": {"plateau": {"recipe.name": "plateau"}, "cycle": {"recipe.name": "one_cycle"}},
    }
    found = [(one.cell.recipe.name, one.cell.recipe.lr) for one in cells(make(axes=axes)) if one.cell]
    assert found == [("plateau", 0.001), ("one_cycle", 0.001), ("plateau", 1.0), ("one_cycle", 1.0)]


def test_a_grid_without_axes_is_one_cell(make: Make) -> None:
    assert only(make(axes={})).recipe.lr == 0.1


LEVELS = {
    "recipe": {
        "cycle": {"recipe.name": "one_cycle", "recipe.rise": 0.4, "recipe.epochs": 3},
        "plateau": {"recipe.patience": 2, "recipe.name": "plateau", "recipe.epochs": 4},
    },
    "rate": {"low": {"recipe.lr": 0.01, "head.dropout": 0.1}, "high": {"recipe.lr": 0.2, "head.dropout": 0.2}},
    "head": {"small": {"head": {"name": "gap_bn", "dimension": 8}}, "large": {"head.name": "gap_bn", "head.dimension": 16}},
    "start": {"none": {"pretraining.name": "none"}, "other": {"pretraining.data.subjects": 3, "pretraining.name": "source",
                                                            "pretraining.data.name": "drawn", "pretraining.epochs": 1}},
}  # fmt: skip


def contents(grid: Grid) -> dict[Any, str]:
    return {frozenset(one.levels.items()): canonical(one.cell.identity()) for one in cells(grid) if one.cell}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_reordering_changes_a_cell(make: Make, data: st.DataObject) -> None:
    def shuffled(tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        return {key: shuffled(tree[key]) for key in data.draw(st.permutations(list(tree)))}

    again = make(axes=shuffled(LEVELS), base=shuffled(SMALL["base"]))
    assert contents(again) == contents(make(axes=LEVELS))
    assert len(contents(again)) == 16


# -- replicates, skips, births, references


@pytest.mark.parametrize(
    ("scope", "seeds"),
    [(["train"], [(5, 0), (6, 0)]), (["pretrain"], [(5, 0), (5, 1)]), (["pretrain", "train"], [(5, 0), (6, 1)])],
)
def test_replicates_repeat_what_their_scope_says(make: Make, scope: list[str], seeds: list[tuple[int, int]]) -> None:
    grid = make(("seed=5",), axes={}, replicates=2, replicate_scope=scope)
    assert grid.axes == {"replicate": ("0", "1")}
    assert [(one.cell.seed, one.cell.pretrain_seed) for one in cells(grid) if one.cell] == seeds


def test_one_replicate_is_no_factor(make: Make) -> None:
    assert "replicate" not in make(replicates=1).axes


def test_skipped_cells_say_why(make: Make) -> None:
    skip = [{"when": {"detection": "mtcnn", "rate": ["low", "high"]}, "because": "no time"}]
    found = cells(make(skip=skip))
    assert [(one.levels["detection"], one.skipped) for one in found if one.cell is None] == [("mtcnn", "no time")] * 2
    assert len([one for one in found if one.cell]) == 2


def test_replicates_can_be_skipped(make: Make) -> None:
    grid = make(axes={}, replicates=3, skip=[{"when": {"replicate": ["1", "2"]}, "because": "once will do"}])
    assert [one.cell is None for one in cells(grid)] == [False, True, True]


def test_a_reference_takes_what_the_cell_has(make: Make, tmp_path: Path) -> None:
    parts = {
        "base": {**SMALL["base"], "data": {"name": "lfw", "root": str(tmp_path)}},
        "axes": {"place": {"here": {}, "there": {"data.root": "/there"}}},
        "protocols": [{"name": "lfw", "root": "${data.root}"}, {"name": "lfw", "label": "b", "root": "${data.root}/b"}],
    }
    here, there = (one.cell for one in cells(make(**parts)))
    assert here is not None
    assert there is not None
    assert [str(one.root) for one in here.protocols] == [str(tmp_path), f"{tmp_path}/b"]
    assert [str(one.root) for one in there.protocols] == ["/there", "/there/b"]


def test_references_in_values_that_are_referred_to_are_replaced_too(make: Make) -> None:
    data, source = {"name": "lfw", "root": "/faces"}, {"name": "source", "data": {"name": "lfw", "root": "${data.root}/more"}}
    base = {**SMALL["base"], "data": data, "pretraining": source}
    found = only(make(base=base, axes={}, protocols=[{"name": "lfw", "root": "${pretraining.data.root}/b"}]))
    assert str(found.protocols[0].root) == "/faces/more/b"
    found = only(
        make(
            base={**base, "pretraining": {**source, "data": "${data}"}, "data": {**data, "root": "/x${seed}"}, "seed": 7},
            axes={},
        )
    )
    assert str(found.pretraining.data.root) == "/x7"


@pytest.mark.parametrize(
    ("roots", "loop"),
    [
        (("${data.root}", "/b"), "data.root: ${data.root} refers to itself (data.root -> data.root)"),
        (("/${pretraining.data.root}", "${data.root}/a"), "pretraining.data.root -> data.root -> pretraining.data.root"),
        (("${data}", "/b"), "data -> data"),
    ],
)
def test_references_in_a_circle_are_refused(make: Make, roots: tuple[str, str], loop: str) -> None:
    data, other = ({"name": "lfw", "root": root} for root in roots)
    grid = make(base={**SMALL["base"], "data": data, "pretraining": {"name": "source", "data": other}}, axes={})
    with pytest.raises(BadInput) as refused:
        cells(grid)
    assert loop in str(refused.value)


# -- overrides


@pytest.mark.parametrize(
    ("override", "look", "wanted"),
    [
        ("recipe.epochs=7", lambda grid: only(grid).recipe.epochs, 7),
        ("recipe.name=plateau", lambda grid: (only(grid).recipe.name, only(grid).recipe.lr), ("plateau", 0.01)),
        ("data={name: drawn, subjects: 9}", lambda grid: only(grid).data.subjects, 9),
        ("compute.threads=2", lambda grid: only(grid).compute.threads, 2),
        ("protocols.0.subjects=30", lambda grid: only(grid).protocols[0].subjects, 30),
        ("explainers.0.images=5", lambda grid: only(grid).explainers[0].images, 5),
        ("explainers=[]", lambda grid: only(grid).explainers, ()),
        ("launch.study=/tmp/x", lambda grid: str(grid.spec.launch.study), "/tmp/x"),
        ("launch.resources.memory_gib=measured", lambda grid: grid.spec.launch.measured("train"), {"memory"}),
        ("launch.stage_resources={train: {gpus: measured}}", lambda grid: grid.spec.launch.measured("train"), {"GPU"}),
        ("launch.stage_resources={train: {gpus: measured}}", lambda grid: grid.spec.launch.measured("evaluate"), set()),
        ("launch.stage_resources={train: {gpus: measured}}", lambda grid: grid.spec.launch.measures, True),
        ("launch.stage_resources={explain: {gpus: measured}}", lambda grid: grid.spec.launch.measures, False),
        ("launch.resources.cpus=2", lambda grid: grid.spec.launch.resources.cpus, 2),
        ("launch.address=ray://host:10001", lambda grid: grid.spec.launch.address, "ray://host:10001"),
        ("launch.devices=3", lambda grid: (grid.spec.launch.ranks, grid.spec.launch.fewest_devices), (3, None)),
        ("launch.devices=auto", lambda grid: (grid.spec.launch.ranks, grid.spec.launch.fewest_devices), (None, 1)),
        ("launch.devices={at_least: 2}", lambda grid: (grid.spec.launch.ranks, grid.spec.launch.fewest_devices), (None, 2)),
        ("replicates=4", lambda grid: len(cells(grid)), 4),
        ("launch.tracking=", lambda grid: grid.spec.launch.tracking, None),
    ],
)
def test_an_override_changes_the_base(make: Make, override: str, look: Callable[[Grid], Any], wanted: Any) -> None:
    assert look(make((override,), axes={})) == wanted


def test_a_name_is_short_for_a_mapping_everywhere(make: Make) -> None:
    cell = only(make(("protocols.0.flip_test=true",), axes={}, protocols=["drawn"], explainers=["gradcam"]))
    assert (cell.protocols[0].flip_test, cell.explainers[0].name) == (True, "gradcam")


def test_later_overrides_win_and_a_choice_resets(make: Make) -> None:
    grid = make(("recipe.lr=0.5", "recipe.name=plateau", "recipe.patience=3", "recipe.patience=4"), axes={})
    assert (only(grid).recipe.lr, only(grid).recipe.patience) == (0.01, 4)


def test_an_override_of_a_path_is_made_absolute(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    grid = make(("protocols.0.root=faces-of-this-test",), axes={}, protocols=[{"name": "lfw", "root": "x"}])
    assert only(grid).protocols[0].root == tmp_path / "faces-of-this-test"


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("recipe.epochs", "override 'recipe.epochs': write key.path=value, such as recipe.epochs=4"),
        ("=4", "override '=4': write key.path=value"),
        ("recipe.epochs=[1", "override 'recipe.epochs=[1': not YAML"),
        ("axes.rate.low={}", "'axes' belongs in the file"),
        ("name=other", "'name' belongs in the file"),
        ("protocols.3.root=x", "override 'protocols.3.root=x': '3' is no item of a list of 1"),
        (
            "recipe.lr=0.5",
            "override 'recipe.lr=0.5': axis 'rate' sets 'recipe.lr' (level 'low'); choose levels with --where rate=",
        ),
        ("recipe.name=plateau", "axis 'rate' sets 'recipe.lr'"),
        ("detector.margin=3", "axis 'detection' sets 'detector.name'"),
        ("recipe.epochs=many", "grid.yaml, override 'recipe.epochs=many': recipe.epochs: input should be a valid integer"),
        ("recipe.epochs=.nan", "grid.yaml, override 'recipe.epochs=.nan': recipe.epochs: "),
        ("recipe.epoch=3", "override 'recipe.epoch=3': unknown key 'recipe.epoch'; did you mean 'recipe.epochs'? (known: "),
        ("recip.epochs=3", "override 'recip.epochs=3': unknown key 'recip'; did you mean 'recipe'? (known: "),
        ("launch.retry=3", "override 'launch.retry=3': unknown key 'launch.retry'; did you mean 'launch.retries'? (known: "),
        (
            "launch.resources.gpu=1",
            "unknown key 'launch.resources.gpu'; did you mean 'launch.resources.gpus'? (known: cpus, custom, gpus, memory_gib)",
        ),
        ("protocols.0.subject=3", "unknown key 'protocols.0.subject'; did you mean 'protocols.0.subjects'? (known: "),
        (
            "compute.threads=0",
            "override 'compute.threads=0': compute.threads: input should be greater than or equal to 1; found 0",
        ),
        ("seed=abc", "override 'seed=abc': seed: input should be a valid integer"),
    ],
)
def test_a_bad_override_is_named(make: Make, override: str, complaint: str) -> None:
    assert complaint in refused(make, override)


def test_a_seed_that_is_no_number_is_met_with_replicates_too(make: Make) -> None:
    assert "seed: input should be a valid integer" in refused(make, "seed=abc", replicates=2)


# -- bad files: each complaint names file, line, key, what was found and what is known
