"""Pictures of a protocol that are nearly those of the training set: refused or dropped, where the protocol asks for it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from datamodules.datasets.drawn import Config as Drawn
from grid.plan import make_plan, store_of
from grid.preflight import checked_plan
from grid.spec import BadInput, Grid
from grid.world import World

Make = Callable[..., Grid]
SHOTS = 3


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Any]:
    """Persons 0 and 1 are trained on; the protocol's persons are 10 to 13, but an image of 10 is one of 0: smaller, as JPEG."""
    drawn = Drawn(persons=20, shots=SHOTS)
    manifest = drawn.manifest(tmp_path)
    faces = drawn.build(manifest)

    def put(folder: str, person: int, shot: int, image: np.ndarray) -> None:
        place = tmp_path / folder / f"p{person:02d}"
        place.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(place / f"{shot}.jpg"), np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80])

    for person in (0, 1):
        for shot in range(SHOTS):
            put("train", person, shot, faces.image(person * SHOTS + shot))
    for person in (10, 11, 12, 13):
        for shot in range(SHOTS):
            put("test", person, shot, faces.image(person * SHOTS + shot))
    put("test", 10, 0, cv2.resize(faces.image(0), (120, 120), interpolation=cv2.INTER_AREA))
    pairs = [
        (f"p{a}/{x}.jpg p{b}/{y}.jpg {int(a == b)}") for a in (10, 11, 12, 13) for b in (a, 23 - a) for x, y in ((0, 1), (1, 2))
    ]
    (tmp_path / "list.txt").write_text("\n".join(pairs))
    protocol = {
        "name": "pairs",
        "data": {"name": "folder", "root": str(tmp_path / "test"), "space": "others"},
        "file": str(tmp_path / "list.txt"),
        "layout": "path_path_label",
        "folds": 2,
    }
    return {"axes": {}, "base": {"data": {"name": "folder", "root": str(tmp_path / "train")}}, "protocols": [protocol]}


def planned(grid: Grid) -> Any:
    return checked_plan(grid, None, Console(file=io.StringIO()))


def test_a_smaller_copy_of_a_training_picture_is_met_where_the_protocol_asks(make: Make, sets: dict[str, Any]) -> None:
    assert planned(make(**sets)).cells[0].state == "run"  # nobody asked
    grid = make("protocols.0.near=4", **sets)
    world = World(store_of(grid))
    (cell,) = make_plan(grid, None, world).cells
    assert (cell.state, cell.reason) == ("pending", "the pictures of folder were never compared: launch looks at them once")
    assert len(world.unseen) == 2  # both sets, so that a launch looks at each once
    with pytest.raises(
        BadInput, match=r"1 of its subjects are in the training set .or pictures nearly like theirs., so 2 of its 16"
    ):
        planned(grid)


def test_only_the_pairs_of_that_picture_are_dropped(make: Make, sets: dict[str, Any]) -> None:
    grid = make("protocols.0.near=4", "protocols.0.overlap=drop", **sets)
    (cell,) = planned(grid).cells
    world = World(store_of(grid))  # as a worker's, from what the launch has kept
    pairs = world.kept_pairs(cell.cell.protocols[0], cell.cell)
    keys = world.manifest(world.dataset(cell.cell.protocols[0])).keys
    left = {f"{keys[a]} {keys[b]}" for a, b in zip(pairs.left, pairs.right, strict=True)}
    assert len(left) == 14
    assert not any("p10/0.jpg" in pair for pair in left)
    assert any("p10/1.jpg" in pair for pair in left)


def test_pictures_are_looked_at_once(make: Make, sets: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make("protocols.0.near=4", "protocols.0.overlap=drop", **sets)
    planned(grid)
    monkeypatch.setattr("datamodules.near_images.image_print", lambda image: pytest.fail("looked again"))
    assert planned(grid).cells[0].state == "run"
