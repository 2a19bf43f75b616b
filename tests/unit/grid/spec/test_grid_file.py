"""A grid file, resolved: what levels set, what order cannot change, and how bad input is met."""

# ruff: noqa: E501 - whole files and whole messages stand side by side

import itertools
import time
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
    """``make(axes=..., overrides=[...])`` reads SMALL with such parts; ``text=`` reads a text."""

    def make(overrides: tuple[str, ...] = (), text: str | None = None, **parts: Any) -> Grid:
        file.write_text(text if text is not None else yaml.safe_dump({**SMALL, **parts}, sort_keys=False))
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
        ("launch.resources.cpus=2", lambda grid: grid.spec.launch.resources.cpus, 2),
        ("launch.address=ray://host:10001", lambda grid: grid.spec.launch.address, "ray://host:10001"),
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
            "unknown key 'launch.resources.gpu'; did you mean 'launch.resources.gpus'? (known: cpus, gpus, memory_gib)",
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

BAD = [
    ("name: a\nbase: {}\naxis: {}\n", "grid.yaml:3: unknown key 'axis'; did you mean 'axes'? (known: axes, base, births, "),
    ("name: a\n1: x\nbase: {}\n", "grid.yaml:2: unknown key 1 (known: "),
    ("", "grid.yaml: a grid file is a mapping with name, base and axes; found nothing"),
    ("- a\n", "grid.yaml: a grid file is a mapping with name, base and axes; found a list"),
    ("base: {}\n", "grid.yaml: key 'name' is needed"),
    ("name: a/b\nbase: {}\n", "grid.yaml:1: name: 'a/b' is no folder name"),
    ("name: a\nbase: 3\n", "grid.yaml:2: base: input should be a valid dictionary; found 3"),
    ("name: a\nbase: {}\naxes: [1]\n", "grid.yaml:3: axes map a name to levels; found [1]"),
    ("name: a\nbase: {}\naxes:\n  b: {}\n", "grid.yaml:4: axis 'b' has no levels; give it levels or remove it"),
    ("name: a\nbase: {}\naxes:\n  b:\n", "grid.yaml:4: axis 'b' has no levels"),
    ("name: a\nbase: {}\naxes:\n  b: {1: {}}\n", "grid.yaml:4: YAML reads level 1 as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  b: {no: {}}\n", "grid.yaml:4: YAML reads level False as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  on: {x: {}}\n", "grid.yaml:3: YAML reads axis True as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: 3\n", "grid.yaml:5: a level maps dotted keys to values (or is {}); found 3"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: {2: 3}\n", "grid.yaml:5: a level maps dotted keys to values; found the key 2"),
    ("name: a\nbase: {}\naxes:\n  replicate:\n    x: {}\n", "grid.yaml:4: 'replicate' is what `replicates` adds"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: {launch.retries: 1}\n", "grid.yaml:5: 'launch.retries' is the same for all cells"),
    (
        "name: a\nbase: {}\naxes:\n  b:\n    x: {seed: 1}\n  c:\n    y:\n      seed: 2\n",
        "grid.yaml:8: axes 'b' and 'c' both set 'seed'; which would win depends on their order",
    ),
    ("name: a\nbase: {}\nskip:\n  - {when: {b: x}, because: y}\n", "grid.yaml:4: skip rule: unknown axis 'b'"),
    (
        "name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: [y]}, because: z}\n",
        "grid.yaml:5: skip rule: axis 'b' has no level 'y' (known: x)",
    ),
    ("name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: x}}\n", "grid.yaml:5: key 'skip.0.because' is needed"),
    ("name: a\nbase: {}\nskip:\n  - {when: {}, because: z}\n", "grid.yaml:4: skip.0.when: maps axes to a level"),
    (
        "name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: x}, because: z, why: w}\n",
        "grid.yaml:5: unknown key 'skip.0.why'; did you mean 'skip.0.when'? (known: because, when)",
    ),
    ("name: a\nbase: {}\naxes: {b: {x: {}}}\nbirths:\n  b: y\n", "grid.yaml:5: birth level: axis 'b' has no level 'y' (known: x)"),
    ("name: a\nbase: {}\nreplicates: 0\n", "grid.yaml:3: replicates: input should be greater than or equal to 1; found 0"),
    ("name: a\nbase: {}\nreplicate_scope: [test]\n", "grid.yaml:3: replicate_scope.0: input should be 'pretrain' or 'train'; found"),
    ("name: a\nbase: {}\nlaunch:\n  resources: {cpu: 2}\n", "grid.yaml:4: unknown key 'launch.resources.cpu'; did you mean 'launch.resources.cpus'?"),
    ("name: a\nbase:\n  data: drawn\n", "grid.yaml: key 'backbone' is needed"),
    ("name: a\nbase:\n  data: drawn\n  backbone: alexnte\n", "grid.yaml:4: backbone: unknown backbone 'alexnte'; did you mean 'alexnet'?"),
    ("name: a\nbase:\n  data: drawn\n  backbone: {nam: x}\n", "grid.yaml:4: backbone: a backbone is a mapping with a name, such as"),
    ("name: a\nbase:\n  data: drawn\n  backbone: alexnet\n  color: red\n", "grid.yaml:5: unknown key 'color' (known: augmentation, "),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: drawn\n    subject: 3\n",
        "grid.yaml:6: unknown key 'data.subject'; did you mean 'data.subjects'? (known: first, look_alikes, name, occluder, on_bad_image, ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: drawn\n    subjects: [3]\n",
        "grid.yaml:6: data.subjects: input should be a valid integer; found [3]",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  recipe: {name: plateau, lr: .nan}\n",
        "grid.yaml:5: recipe.lr: input should be ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  head: {name: gap_bn, dropout: .inf}\n",
        "grid.yaml:5: head.dropout: input should be ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  pretraining:\n    name: source\n    data:\n      name: drawn\n      size: big\n",
        "grid.yaml:9: pretraining.data.size: input should be a valid integer, unable to parse string as an integer; found 'big'",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  pretraining:\n    name: source\n    data:\n      name: drawn\n      siz: 4\n",
        "grid.yaml:9: unknown key 'pretraining.data.siz'; did you mean 'pretraining.data.size'? (known: first, ",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n    rot: x\n",
        "grid.yaml:6: unknown key 'protocols.1.rot'; did you mean 'protocols.1.root'?",  # and not: root is needed
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n",
        "grid.yaml:5: key 'protocols.1.root' is needed",
    ),
    (
        "name: a\nbase:\n  data: drawn\naxes:\n  b:\n    x: {backbon.name: alexnet}\n",
        "grid.yaml:6: unknown key 'backbon'; did you mean 'backbone'?",
    ),
    (
        "name: a\nbase:\n  data: drawn\naxes:\n  b: [alexnet, resnet34]\n",
        "grid.yaml:5: axis 'b' maps level names to settings, such as {small: {backbone.name: alexnet}}; found ['alexnet', 'resnet34']",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n    root: x\n    vew: 2\n",
        "grid.yaml:7: unknown key 'protocols.1.vew'; did you mean 'protocols.1.view'? (known: flip_test, label, multi_crop, name, near, overlap, part, root, setting, sweep_point, transforms, verifier, view)",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - drwn\n",
        "grid.yaml:4: protocols.0: unknown protocol 'drwn'; did you mean 'drawn'? (known: agedb30, attributes, bin, calfw",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      head.dropout: 0.1\n",
        "grid.yaml:6: head: a head is a mapping with a name, such as {name: deepface_f7}; found {'dropout': 0.1}",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      recipe: {name: plateau}\n    y:\n      recipe: {name: plateau, lr: -1}\n",
        "grid.yaml:8: recipe.lr: input should be greater than 0; found -1",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      color.red: 1\n",
        "grid.yaml:6: unknown key 'color' (known: ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: lfw\n    root: ${place}\n",
        "grid.yaml:6: data.root: ${place} refers to a key that no base, level or override sets",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  recipe: {name: plateau, optimizer: nag, momentum: 0}\n",
        "grid.yaml:5: recipe: recipe.momentum is 0, and optimizer nag needs momentum; use optimizer: sgd",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), BAD, ids=[f"{number:02d}" for number in range(len(BAD))])
def test_a_bad_file_is_met_with_one_clear_line(make: Make, file: Path, text: str, complaint: str) -> None:
    said = refused(make, text=text)
    assert said.startswith(str(file))
    assert complaint in said


TOO_LARGE = {
    "replicates": ({"replicates": 100_000_000}, [], r"grid.yaml:\d+: 200,000,000 combinations \(replicates 100,000,000 x "),
    "an override": ({}, ["replicates=1.0e+8"], r"override 'replicates=1.0e\+8': 200,000,000 combinations"),
    "many axes": (
        {"axes": {f"a{n}": {f"l{m}": {f"data.x{n}": m} for m in range(10)} for n in range(12)}},
        [],
        r"grid.yaml:\d+: 1,000,000,000,000 combinations \(a0 10 x a1 10 x ",
    ),
    "a long name": ({"base": {"data": "drawn", "backbone": "x" * 9_000}}, [], "unknown backbone 'xxx.* \\(9,002 characters\\)"),
    "a deep key": ({"axes": {"x": {"y": {"a." * 4_000 + "b": 1}}}}, [], r"grid.yaml:\d+: key 'a.a.* has more than 50 parts"),
    "a deep override": ({}, ["a." * 5_000 + "b=1"], "override 'a.a.*: the key has more than 50 parts"),
    "many levels": (
        {"axes": {"x": {f"l{n}": {"seed": n} for n in range(2_000)}}, "births": {"x": "m"}},
        [],
        r"has no level 'm' \(known: l0, l1, .*, and 1900 more\)",
    ),
    "long references": (
        {"base": {"data": "drawn", "backbone": "x" * 5_000, "head": "${backbone}" * 900}},
        [],
        r"head: 4,500,000 characters after \${...}; at most 10,000",
    ),
    "wide references": (
        {"base": {"data": {"name": "drawn", "seed": [0] * 4_000}, "recipe": ["${data.seed}"] * 50}},
        [],
        r"recipe.\d+: \${...} references make more than 100,000 values",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "overrides", "complaint"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_grid_beyond_the_limits_is_refused_at_once(
    tmp_path: Path, parts: dict[str, Any], overrides: list[str], complaint: str
) -> None:
    file = tmp_path / "grid.yaml"
    tree = {"name": "large", "base": {"data": "drawn"}, "axes": {"seed": {"a": {"seed": 1}, "b": {"seed": 2}}}}
    file.write_text(yaml.safe_dump({**tree, **parts}, sort_keys=False), encoding="utf-8")
    start = time.process_time()
    with pytest.raises(BadInput, match=complaint) as refused:
        list(read(file, overrides).combinations())
    assert time.process_time() - start < 1
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1_000
