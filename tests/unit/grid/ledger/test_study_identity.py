import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.study import read_record, write_record
from grid.ledger.study_identity import home_of, own_identity


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study that wrote to MLflow where it is."""
    path = tmp_path / "original"
    path.mkdir()
    write_record(path, {"study_id": "a" * 32, "grid": "small", "home": home_of(path)})
    (path / "mlflow.json").write_text("{}")
    return path


def plan(study: Path) -> dict[str, Any]:
    found = read_record(study)
    assert found is not None
    return found


def changed(study: Path, **parts: Any) -> None:
    write_record(study, plan(study) | {"home": {**plan(study)["home"], **parts}})


def test_a_copy_gets_an_id_of_its_own_and_the_original_keeps_its(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / "copy")
    said = own_identity(copy)
    assert said is not None
    assert "\n" not in said
    assert str(copy) in said
    assert str(study) in said
    assert plan(copy)["study_id"] != plan(study)["study_id"]
    assert not (copy / "mlflow.json").exists(), "it names the runs of the original"
    once = plan(copy)
    assert own_identity(copy) is None
    assert plan(copy) == once
    assert own_identity(study) is None
    assert plan(study)["study_id"] == "a" * 32


def test_a_copy_of_a_copy_is_a_third_study(study: Path, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(study, tmp_path / "one")), tmp_path / "two"]
    own_identity(copies[0])
    shutil.copytree(copies[0], copies[1])
    assert own_identity(copies[1]) is not None
    assert len({plan(path)["study_id"] for path in (study, *copies)}) == 3


@pytest.mark.parametrize("move", [shutil.move, lambda old, new: (shutil.copytree(old, new), shutil.rmtree(old))])
def test_a_study_that_was_moved_keeps_its_id(study: Path, tmp_path: Path, move: Callable[..., Any]) -> None:
    move(study, tmp_path / "moved")
    assert own_identity(tmp_path / "moved") is None
    assert plan(tmp_path / "moved")["study_id"] == "a" * 32
    assert plan(tmp_path / "moved")["home"]["path"] == str(tmp_path / "moved")


def test_a_link_to_a_study_is_the_study(study: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(study)
    assert own_identity(tmp_path / "link") is None
    assert plan(study)["study_id"] == "a" * 32


def test_a_copy_on_another_machine_gets_its_own_id_and_another_mount_of_the_study_does_not(study: Path) -> None:
    changed(study, host="elsewhere", path="/mnt/study")
    assert own_identity(study) is None, "the inode is the same"
    changed(study, host="elsewhere", path="/mnt/study", inode=-1)
    assert own_identity(study) is not None


def test_another_container_with_the_study_at_its_path_continues_it(study: Path) -> None:
    changed(study, host="elsewhere", inode=-1)
    assert own_identity(study) is None
    assert plan(study)["study_id"] == "a" * 32


@pytest.mark.parametrize("text", [None, "[", "[]", "{}", '{"study_id": "a"}'])
def test_a_plan_without_a_home_is_no_copy(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    assert own_identity(tmp_path) is None


@pytest.mark.parametrize("name", ["plan.json", "plan.backup.json"])
def test_an_original_whose_record_is_damaged_is_still_noticed(study: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(study, tmp_path / "copy")
    (study / name).write_text("{")
    assert own_identity(copy) is not None
