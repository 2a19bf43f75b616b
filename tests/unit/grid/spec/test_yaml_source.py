"""YAML keys know their lines; dotted keys set what they say and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from grid.spec.yaml_source import clash, deep_set, flat, get, overlaps, read_yaml

TEXT = """\
name: demo
base:
  data: {name: drawn, subjects: 4}
  recipe:
    lr: 0.1
axes:
  backbone:
    small: {backbone.name: alexnet}
protocols:
  - {name: drawn}
  - name: lfw
    root: x
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["base.data.subjects"], 3),
        (["base.recipe.lr"], 5),
        (["base.recipe.nothing"], 4),  # the nearest parent
        (["axes.backbone.small.backbone.name"], 8),
        (["protocols.1.root"], 12),
        (["base.name", "name"], 1),
        (["base.seed"], None),  # `base` alone says nothing
        (["nothing"], None),
    ],
)
def test_a_key_knows_its_line(file: Path, keys: list[str], line: int | None) -> None:
    yaml_source = read_yaml(file, ValueError)
    assert yaml_source.at(*keys) == (f"{file}:{line}" if line else str(file))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", r"grid.yaml:3: key 'a' stands twice, first at line 1"),
        ("a:\n  b: [1, 2\n", r"grid.yaml:\d+: not YAML: .*"),
        ("a: \x00", r"grid.yaml: not YAML: "),
        ("a: !!python/object:os.system {}\n", r"grid.yaml:1: not YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_yaml_is_named_in_one_line(file: Path, text: str, complaint: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=complaint) as refused:
        read_yaml(file, ValueError)
    assert "\n" not in str(refused.value)


def test_an_absent_file_is_met_with_those_that_are_there(file: Path) -> None:
    with pytest.raises(ValueError, match=r"gird.yaml: no such grid file; there are .*grid.yaml"):
        read_yaml(file.with_name("gird.yaml"), ValueError)


def test_a_folder_or_binary_is_no_grid_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_yaml(tmp_path, ValueError)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read"):
        read_yaml(tmp_path / "x.yaml", ValueError)


@pytest.mark.parametrize(
    ("tree", "key", "value", "wanted"),
    [
        ({}, "a", 1, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, "a.b", 3, {"a": {"b": 3, "c": 2}}),
        ({}, "a.b.c", 3, {"a": {"b": {"c": 3}}}),
        ({"a": {"name": "x", "c": 2}}, "a.name", "y", {"a": {"name": "y"}}),  # another component: its keys are its own
        ({"a": {"b": {"name": "x", "c": 2}, "d": 1}}, "a.b.name", "y", {"a": {"b": {"name": "y"}, "d": 1}}),
        ({"a": "x"}, "a.c", 2, {"a": {"name": "x", "c": 2}}),  # `a: x` is short for a mapping
        ({"a": [{"b": 1}, {"b": 2}]}, "a.1.b", 3, {"a": [{"b": 1}, {"b": 3}]}),
        ({"a": [1, 2]}, "a.0", 3, {"a": [3, 2]}),
        ({"a": {"b": 1}}, "a", {"name": "z"}, {"a": {"name": "z"}}),
    ],
)
def test_deep_set_sets_one_key(tree: Any, key: str, value: Any, wanted: Any) -> None:
    before = repr(tree)
    assert deep_set(tree, key, value, ValueError) == wanted
    assert repr(tree) == before


@pytest.mark.parametrize("key", ["a.2", "a.b", "a.-1"])
def test_an_item_that_is_not_there_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="no item of a list of 2"):
        deep_set({"a": [1, 2]}, key, 3, ValueError)


def test_get_finds_or_gives_none() -> None:
    tree = {"a": {"b": 1}, "c": "text"}
    assert get(tree, "a.b") == 1
    assert get(tree, "a.x") is None
    assert get(tree, "c.b") is None


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("recipe.lr", "recipe.lr", True),
        ("recipe", "recipe.lr", True),
        ("recipe.name", "recipe.lr", True),  # choosing resets
        ("recipe.lr", "recipe.momentum", False),
        ("recipe.lr", "recipe.lr_end", False),
        ("data.root", "data_root", False),
        ("pretraining.data.name", "pretraining.epochs", False),
        ("pretraining.data.name", "pretraining.data.first", True),
    ],
)
def test_overlaps_is_symmetric(one: str, other: str, wanted: bool) -> None:
    assert overlaps(one, other) == overlaps(other, one) == wanted


def test_flat_has_every_value_under_its_dotted_key() -> None:
    tree = {"a": {"b": 1, "c": {}}, "d": [{"e": 2}], "f": None}
    assert dict(flat(tree)) == {"a.b": 1, "a.c": {}, "d": [{"e": 2}], "f": None}
    assert all(get(tree, key) == value for key, value in flat(tree))


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (("seed", 1), ("seed", 2), True),
        (("detector", "mtcnn"), ("detector.name", "none"), True),
        (("detector", "mtcnn"), ("detector.margin", 3), False),
        (("detector.name", "mtcnn"), ("detector.margin", 3), False),
        (("detector", {"name": "mtcnn", "margin": 8}), ("detector.margin", 3), True),
        (("detector", {"name": "mtcnn", "margin": 8}), ("detector.alignment", "none"), False),
        (("detector", {"margin": 8}), ("detector.name", "mtcnn"), True),
        (("pretraining", {"name": "source", "recipe": {"epochs": 3}}), ("pretraining.recipe.name", "plateau"), True),
        (("pretraining", {"name": "source", "recipe": "plateau"}), ("pretraining.recipe.epochs", 3), False),
        (("search", None), ("search.trials", 4), True),
        (("search.rungs", [1, 2]), ("search.rungs.0", 2), True),
        (("recipe.lr", 1), ("recipe.lrs", 2), False),
    ],
)
def test_settings_clash_if_one_overwrites_a_part_of_the_other(one: Any, other: Any, wanted: bool) -> None:
    assert clash([("a", *one), ("b", *other)]) == clash([("a", *other), ("b", *one)]) == ((0, 1) if wanted else None)
    assert clash([("a", *one), ("a", *other)]) is None
    first, second = sorted((one, other), key=lambda item: (item[0].count(".") - item[0].endswith(".name"), item[0]))
    alone = deep_set({}, *first, ValueError)
    both = deep_set(alone, *second, ValueError)
    assert wanted == (not leaves(alone).items() <= leaves(both).items()), "the naive way: set both, and see what is lost"


def leaves(tree: Any) -> dict[str, Any]:
    return {f"{key.removesuffix('.name')}.name" if isinstance(part, str) else key: part for key, part in flat(tree)}
