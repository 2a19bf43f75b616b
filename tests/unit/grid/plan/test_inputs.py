"""A dataset that cannot be read is one line, whatever the file system says of it."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small import folder, write

from configs.lookup import lookup, resolve
from grid.ledger.study import write_record
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import Plan, make_plan, store_of
from grid.plan.preflight import prepare, remarks
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput, read


def loop(place: Path) -> None:
    (place / "d").symlink_to(place / "d")


def loop_of_two(place: Path) -> None:
    (place / "d").symlink_to(place / "e")
    (place / "e").symlink_to(place / "d")


def image_loop(place: Path) -> None:
    (place / "a" / "7.png").symlink_to(place / "a" / "7.png")


def long_name(place: Path) -> None:
    (place / "a" / "8.png").symlink_to("x" * 300)


@pytest.mark.parametrize("damage", [loop, loop_of_two, image_loop, long_name])
def test_links_that_lead_nowhere_are_one_line(tmp_path: Path, damage: Any) -> None:
    root = Path(folder(tmp_path / "data", 1))
    damage(root)
    data = resolve("data", {"name": "folder", "root": str(root)})
    with pytest.raises(ValueError, match=f"{root}/.*") as error:
        InputResolver(tmp_path / "store").scan(data)
    assert "\n" not in str(error.value)
    with pytest.raises((ValueError, Blocked)):  # what a plan meets; single images are read by a launch
        InputResolver(tmp_path / "store").manifest(data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_line(tmp_path: Path) -> None:
    root = Path(folder(tmp_path / "data", 1))
    (root / "b").chmod(0)
    data = resolve("data", {"name": "folder", "root": str(root)})
    with pytest.raises(ValueError, match="Permission denied"):
        InputResolver(tmp_path / "store").manifest(data)


@pytest.fixture
def conflicting(tmp_path: Path) -> dict[str, Any]:
    root = Path(folder(tmp_path / "data", 1))
    shutil.copy(root / "a" / "0.png", root / "b" / "9.png")
    return {"name": "folder", "root": str(root)}


def planned(tmp_path: Path, data: dict[str, Any]) -> Plan:
    grid = read(write(tmp_path / "grid.yaml", {"data": data}, axes={}, launch={"study": str(tmp_path / "study")}), [])
    resolver = InputResolver(store_of(grid))
    resolver.scan(resolve("data", data))
    return make_plan(grid, None, resolver)


def test_a_file_under_two_identities_is_not_trained_on(tmp_path: Path, conflicting: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as error:
        planned(tmp_path, conflicting)
    assert "dataset folder: one file is there under two identities, such as a/0.png and b/9.png" in str(error.value)
    assert "on_identity_conflict: skip" in str(error.value)
    ids = {}
    for policy, images in (("skip", 8), ("keep", 10)):
        data = {**conflicting, "on_identity_conflict": policy}
        ids[policy] = planned(tmp_path, data).cells[0].id
        resolver = InputResolver(tmp_path / "study" / "store")
        assert len(resolver.manifest(resolve("data", data)).keys) == images
    assert ids["skip"] != ids["keep"]


def test_subjects_with_too_few_images_after_conflicts_are_left_out(tmp_path: Path, conflicting: dict[str, Any]) -> None:
    resolver = InputResolver(tmp_path / "store")
    inner = {**conflicting, "on_identity_conflict": "skip", "min_images": 3}
    changed = {"name": "transformed", "data": inner, "transforms": [{"name": "jpeg", "quality": 30}]}
    for given in (inner, {**changed, "on_identity_conflict": "skip"}):
        data = resolve("data", given)
        resolver.scan(data)
        assert sorted(set(resolver.manifest(data).identities)) == ["b", "c"], "a has two other images"


def test_a_policy_on_conflicts_does_not_move_the_id_of_a_dataset_without_any(tmp_path: Path) -> None:
    data = {"name": "folder", "root": folder(tmp_path / "data", 1)}
    ids = {planned(tmp_path, {**data, **more}).cells[0].id for more in ({}, {"on_identity_conflict": "skip"})}
    assert len(ids) == 1


def test_images_without_known_subjects_are_in_no_conflict(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (40, 40)).save(write_name(tmp_path / "faces", f"2{number}_0_0_2017011617424000{number}.png"))
    data = {"name": "utkface", "root": str(tmp_path / "faces")}
    assert planned(tmp_path, data).cells[0].state == "run"


def write_name(place: Path, name: str) -> Path:
    place.mkdir(exist_ok=True)
    return place / name


def test_a_plan_tells_of_images_that_its_training_data_leave_out(tmp_path: Path) -> None:
    root = Path(folder(tmp_path / "data", 1))
    data = {"name": "folder", "root": str(root)}
    assert remarks(planned(tmp_path, data)) == []
    shutil.copytree(root / "a", root / "a" / "deeper")
    shutil.copy(root / "a" / "0.png", root / "loose.png")
    (said,) = remarks(planned(tmp_path, data))
    assert said == "folder: 4 images such as a/deeper/0.png, in other places than <identity>/<image>"


def test_an_answer_is_remembered_by_what_a_config_says_not_by_which_object_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = InputResolver(tmp_path / "store")
    roots = [folder(tmp_path / name, level) for level, name in enumerate(("one", "two"))]
    found = []
    for root in (*roots, *roots):  # nobody holds the configs, so that a later one may get the id of an earlier one
        resolver.scan(resolve("data", {"name": "folder", "root": root}))
    kind, asked = lookup("data", "folder"), []
    manifest = kind.manifest  # type: ignore[attr-defined]
    monkeypatch.setattr(kind, "manifest", lambda self, scans: asked.append(self.root) or manifest(self, scans))
    for root in (*roots, *roots):
        found.append(resolver.manifest(resolve("data", {"name": "folder", "root": root}).model_copy()))
    assert list(map(str, asked)) == roots, "each once"
    assert [one.digest for one in found[:2]] == [one.digest for one in found[2:]]
    assert found[0].digest != found[1].digest


def test_a_check_of_a_recipe_that_trains_nothing_says_nothing_of_one_that_trains(tmp_path: Path) -> None:
    resolver = InputResolver(tmp_path / "store")
    only = resolve("data", {"name": "drawn", "subjects": 1, "shots": 2})
    source = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4, "shots": 2}, "recipe": "one_cycle"}
    parts = {"data": only, "backbone": "alexnet", "input": {"size": 64}, "pretraining": source}
    for_nothing = Cell.model_validate({**parts, "recipe": "none"})
    training = Cell.model_validate({**parts, "recipe": {"name": "one_cycle"}})
    same = {name: getattr(for_nothing, name) for name in ("pretraining", "backbone", "data", "augmentation", "detector")}
    training = training.model_copy(update=same)
    resolver.check(for_nothing)
    with pytest.raises(ValueError, match="two subjects at least"):
        resolver.check(training)


def test_a_launch_makes_no_folder_where_the_store_of_its_study_is_not_mounted(tmp_path: Path) -> None:
    study, store = tmp_path / "study", tmp_path / "disk" / "store"
    write_record(study, {"store": str(store), "store_id": "0123456789abcdef"})
    with pytest.raises(BadInput, match=rf"no folder {store}, where the results of this study are; mount it, or .*--new-store"):
        prepare(study, store)
    assert not store.exists()
    prepare(study, tmp_path / "other")  # another place is a choice
    prepare(study, store, new_store=True)
    assert store.is_dir()
