"""Images of a protocol that are nearly those of the training set: refused or dropped, where the protocol asks for it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from configs.lookup import resolve
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import make_plan, store_of
from grid.plan.preflight import checked_plan
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]
SHOTS = 3


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Any]:
    """Subjects 0 and 1 are trained on; the protocol has 10 to 13, but one image of 10 is one of 0, smaller and as JPEG."""
    drawn = Drawn(subjects=20, shots=SHOTS)
    manifest = drawn.manifest(tmp_path)
    faces = drawn.build(manifest)

    def put(folder: str, subject: int, shot: int, image: np.ndarray) -> None:
        place = tmp_path / folder / f"p{subject:02d}"
        place.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(place / f"{shot}.jpg"), np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80])

    for subject in (0, 1):
        for shot in range(SHOTS):
            put("train", subject, shot, faces.image(subject * SHOTS + shot))
    for subject in (10, 11, 12, 13):
        for shot in range(SHOTS):
            put("test", subject, shot, faces.image(subject * SHOTS + shot))
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


def test_a_smaller_copy_of_a_training_image_is_met_where_the_protocol_asks(make: Make, sets: dict[str, Any]) -> None:
    assert planned(make(**sets)).cells[0].state == "run"  # nobody asked
    grid = make("protocols.0.near=4", **sets)
    resolver = InputResolver(store_of(grid))
    (cell,) = make_plan(grid, None, resolver).cells
    assert (cell.state, cell.reason) == ("pending", "the images of folder were never compared: launch looks at them once")
    assert len(resolver.unseen) == 2  # both sets, so that a launch looks at each once
    with pytest.raises(
        BadInput, match=r"1 of its subjects are in the training set .or images nearly like theirs., so 2 of its 16"
    ):
        planned(grid)


def test_only_the_pairs_of_that_image_are_dropped(make: Make, sets: dict[str, Any]) -> None:
    grid = make("protocols.0.near=4", "protocols.0.overlap=drop", **sets)
    (cell,) = planned(grid).cells
    resolver = InputResolver(store_of(grid))  # as a worker's, from what the launch has kept
    pairs = resolver.kept_pairs(cell.cell.protocols[0], cell.cell)
    keys = resolver.manifest(resolver.dataset(cell.cell.protocols[0])).keys
    left = {f"{keys[a]} {keys[b]}" for a, b in zip(pairs.left, pairs.right, strict=True)}
    assert len(left) == 14
    assert not any("p10/0.jpg" in pair for pair in left)
    assert any("p10/1.jpg" in pair for pair in left)


def test_images_are_looked_at_once(make: Make, sets: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make("protocols.0.near=4", "protocols.0.overlap=drop", **sets)
    planned(grid)
    monkeypatch.setattr("datamodules.near_duplicates.image_print", lambda image: pytest.fail("looked again"))
    assert planned(grid).cells[0].state == "run"


def test_a_split_by_families_looks_at_the_images_and_joins_near_copies(make: Make, sets: dict[str, Any]) -> None:
    data = resolve("data", {"name": "folder", "root": sets["protocols"][0]["data"]["root"]})
    resolver = InputResolver(store_of(make(**sets)))
    resolver.scan(data)
    with pytest.raises(Blocked, match="were never compared: launch looks at them once"):
        resolver.families(data, 4)
    resolver.look(data)
    manifest = resolver.manifest(data)
    subjects = sorted(set(manifest.identities))
    plain = [subjects.index(who) * SHOTS for who in manifest.identities]
    assert resolver.families(data, 4).tolist() == plain
    copy = next(Path(data.root).glob("p13/0.jpg"))
    image = cv2.imread(str(Path(data.root) / "p11/1.jpg"))
    assert cv2.imwrite(str(copy), cv2.resize(image, (100, 100), interpolation=cv2.INTER_AREA))
    resolver.scan(data)
    resolver.look(data)
    found = dict(zip(resolver.manifest(data).keys, resolver.families(data, 4).tolist(), strict=True))
    assert found["p13/0.jpg"] == found["p13/2.jpg"] == found["p11/1.jpg"]
    assert found["p10/0.jpg"] != found["p11/1.jpg"] != found["p12/0.jpg"]
