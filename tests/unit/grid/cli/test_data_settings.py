"""What is told to the `data` commands as ``key=value`` or YAML, and what is said of mistakes in it."""

from pathlib import Path

import pytest

from grid.cli.data_settings import component, dataset
from grid.spec.grid_file import BadInput


@pytest.mark.parametrize("root", ["2024", "a #1", "[a", "off", "x: y", "{b}", "ä ö"])
def test_a_folder_may_be_called_as_it_likes(root: str) -> None:
    assert dataset("folder", [f"root={root}"]).root.name == root


def test_a_path_in_quotes_is_what_stands_in_them() -> None:
    assert dataset("folder", ["root='a b'"]).root.name == "a b"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["rot=x"], "unknown key 'rot'; did you mean 'root'?"),
        ([], "key 'root' is needed; it needs root: "),
        (["root="], "write key=value"),
        (["root=x", "root=y"], "root is given twice"),
        (["root=x", "subjects=[1"], "not YAML"),
        (["root=x", "subjects=two"], "found 'two'"),
        (["root=x", "min_images=-1"], "min_images: "),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(settings: list[str], said: str) -> None:
    with pytest.raises(BadInput) as error:
        dataset("folder", settings)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("data", "folder", "key 'root' is needed"),
        ("augmentation", "{name: pipeline, steps: [flip, jpg]}", "steps.1: unknown augmentation 'jpg'; did you mean 'jpeg'?"),
        ("augmentation", "{name: pipeline", "not YAML"),
        ("detector", "{name: mtcnn, factr: 3}", "unknown key 'factr'; did you mean 'factor'?"),
        ("detector", "[]", "a detector is a mapping with a name"),
    ],
)
def test_a_wrong_component_is_told_in_one_line(kind: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        component(kind, text)
    assert said in str(error.value)
    assert "pydantic.dev" not in str(error.value)


def test_paths_of_settings_stay_paths(tmp_path: Path) -> None:
    found = dataset("fairface", [f"root={tmp_path}", "held_share=0.3"])
    assert (found.root, found.held_share) == (tmp_path, 0.3)
