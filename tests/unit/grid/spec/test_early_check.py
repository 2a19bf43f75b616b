"""What is refused before torch is imported: nothing that would pass, and in the same words as later."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from small import SMALL

from grid.spec.early_check import check_early
from grid.spec.grid_file import BadInput, Grid, read

ROOT = Path(__file__).resolve().parents[4]
MISTAKES: dict[str, dict[str, Any]] = {  # parts that replace those of the small grid, or are merged into its base
    "an unknown key": {"base": {"bakbone": "alexnet"}},
    "an unknown backbone": {"base": {"backbone": "alexnett"}},
    "a backbone as a mapping": {"base": {"backbone": {"name": "alexnett", "dropout": 0}}},
    "an unknown key of the backbone": {"base": {"backbone": {"name": "resnet34", "dropuot": 0}}},
    "an unknown key of the recipe": {"base": {"recipe": {"name": "one_cycle", "epoch": 2}}},
    "an unknown key of a level": {
        "base": {"head": "gap_bn"},
        "axes": {"head": {"a": {"head.dimension": 8}, "b": {"head.dimensions": 16}}},
    },
    "an unknown key of the second explainer": {"explainers": ["gradcam", {"name": "rise", "image": 2}]},
    "an unknown recipe": {"base": {"recipe": {"name": "one_cicle"}}},
    "an unknown detector of a level": {"axes": {"detection": {"mtcnn": {"detector.name": "mtcn"}}}},
    "an unknown dataset": {"base": {"data": {"name": "drwan"}}},
    "an unknown key of the dataset": {"base": {"data": {"name": "drawn", "subject": 4}}},
    "a wrong value of the dataset": {"base": {"data": {"name": "drawn", "subjects": "four"}}},
    "an unknown key of the split": {"base": {"split": {"fractoin": 0.1}}},
    "a value out of range": {"base": {"input": {"size": 8}}},
    "an unknown key of a protocol": {"protocols": [{"name": "drawn", "fold": 5}]},
    "the second protocol": {"protocols": ["drawn", "lwf"]},
    "an unknown explainer": {"explainers": [{"name": "gradcma"}]},
    "an unknown kind of stage": {"stages": [{"name": "decode"}, {"name": "decod"}]},
    "an unknown loss": {"base": {"loss": {"name": "softmaxx"}}},
    "a second level that is wrong": {"axes": {"size": {"a": {"input.size": 64}, "b": {"input.size": "large"}}}},
}
PROGRAM = """
import json, sys
from pathlib import Path
import facegrid
from grid.spec.early_check import check_early
from grid.spec.grid_file import BadInput, read
said = {}
for file in sys.argv[1:]:
    try:
        check_early(read(Path(file)))
    except BadInput as error:
        said[Path(file).stem] = str(error)
print(json.dumps([said, "torch" in sys.modules]))
"""
COMMANDS = """
import sys
import facegrid
words = sys.argv[1:]
for command in ("plan", "launch", "debug"):
    sys.argv = ["facegrid", command, *words]
    try:
        facegrid.main()
    except SystemExit as ended:
        print(command, ended.code, "torch" in sys.modules)
"""


def write(file: Path, parts: Mapping[str, Any]) -> Path:
    base = {**SMALL["base"], **parts.get("base", {})}
    file.write_text(yaml.safe_dump({**SMALL, "axes": {}, **parts, "base": base}, sort_keys=False))
    return file


def late(grid: Grid) -> str:
    """The complaint when cells are resolved."""
    with pytest.raises(BadInput) as error:
        list(grid.combinations())
    return str(error.value)


def test_mistakes_are_refused_in_the_same_words_without_torch(tmp_path: Path) -> None:
    files = {name: write(tmp_path / f"{name}.yaml", parts) for name, parts in MISTAKES.items()}
    command = [sys.executable, "-c", PROGRAM, *map(str, files.values())]
    said, heavy = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert said == {name: late(read(file)) for name, file in files.items()}
    assert not heavy


def test_each_command_refuses_before_torch_is_imported(tmp_path: Path) -> None:
    words = [write(tmp_path / "grid.yaml", MISTAKES["an unknown backbone"]), f"launch.study={tmp_path / 'study'}"]
    said = subprocess.run([sys.executable, "-c", COMMANDS, *map(str, words)], capture_output=True, text=True, cwd=ROOT)
    each = ["plan 2 False", "launch 2 False", "debug 2 False"]
    assert said.stdout.splitlines() == each, said.stderr
    assert said.stderr.count("unknown backbone 'alexnett'; did you mean 'alexnet'?") == 3
    words = [write(tmp_path / "grid.yaml", {}), f"launch.study={tmp_path / 'study'}", "--where", "size=a"]
    said = subprocess.run([sys.executable, "-c", COMMANDS, *map(str, words)], capture_output=True, text=True, cwd=ROOT)
    assert said.stdout.splitlines() == each, said.stderr
    assert said.stderr.count("unknown axis 'size'") == 3


@pytest.mark.parametrize("file", sorted((ROOT / "configs/grids").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_grids_pass(file: Path) -> None:
    check_early(read(file))


def test_what_only_skipped_combinations_would_have_is_not_refused(tmp_path: Path) -> None:
    axes = {"size": {"a": {}, "b": {"input.size": 1}}}
    skip = [{"when": {"size": "b"}, "because": "too small"}]
    check_early(read(write(tmp_path / "grid.yaml", {"axes": axes, "skip": skip})))
    with pytest.raises(BadInput, match=r"input\.size"):
        check_early(read(write(tmp_path / "grid.yaml", {"axes": axes})))
    skip = [{"when": {"size": "a"}, "because": "too large"}]
    with pytest.raises(BadInput, match=r"input\.size"):
        check_early(read(write(tmp_path / "grid.yaml", {"axes": axes, "skip": skip})))


def test_references_are_replaced_first(tmp_path: Path) -> None:
    base = {"data": {"name": "drawn", "subjects": "${split.seed}"}, "split": {"seed": 4}}
    check_early(read(write(tmp_path / "grid.yaml", {"base": base})))
    base["split"] = {"seed": 0}
    with pytest.raises(BadInput, match=r"data\.subjects"):
        check_early(read(write(tmp_path / "grid.yaml", {"base": base})))


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    base = {key: value for key, value in SMALL["base"].items() if key != "backbone"}
    file.write_text(yaml.safe_dump({**SMALL, "base": base, "axes": {}}))
    with pytest.raises(BadInput, match="key 'backbone' is needed") as error:
        check_early(read(file))
    assert str(error.value) == late(read(file))


def test_modules_of_the_user_are_not_imported(tmp_path: Path) -> None:
    check_early(read(write(tmp_path / "grid.yaml", {"base": {"loss": {"name": "absent.loss"}}})))


def test_an_unknown_level_that_is_asked_for_is_refused(tmp_path: Path) -> None:
    grid = read(write(tmp_path / "grid.yaml", {"axes": {"size": {"a": {}}}}))
    check_early(grid, {"size": ["a"]})
    with pytest.raises(BadInput, match="axis 'size' has no level 'b'"):
        check_early(grid, {"size": ["b"]})


def test_a_sum_of_losses_passes(tmp_path: Path) -> None:
    check_early(read(write(tmp_path / "grid.yaml", {"base": {"loss": "softmax + 0.1 center"}})))
