"""A dataset that cannot be read is one line, whatever the file system says of it."""

import os
from pathlib import Path
from typing import Any

import pytest
from small import folder

from configs.lookup import resolve
from grid.world import Blocked, World


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
        World(tmp_path / "store").scan(data)
    assert "\n" not in str(error.value)
    with pytest.raises((ValueError, Blocked)):  # what a plan meets; single images are read by a launch
        World(tmp_path / "store").manifest(data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_line(tmp_path: Path) -> None:
    root = Path(folder(tmp_path / "data", 1))
    (root / "b").chmod(0)
    data = resolve("data", {"name": "folder", "root": str(root)})
    with pytest.raises(ValueError, match="Permission denied"):
        World(tmp_path / "store").manifest(data)
