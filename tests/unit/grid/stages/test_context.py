"""What a quick look looks at, and what a stage must return."""

# ruff: noqa: E501 - cases and whole messages stand side by side

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ijb_folder
import numpy as np
import pytest

from configs.contract import ContractError
from configs.lookup import resolve
from datamodules.detection import Detection, Detections
from grid.stages.context import FAST_IMAGES, FAST_SUBJECTS, Context, Result, checked_result, detections_of, fast_rows


def rows(*identities: str) -> list[int]:
    return fast_rows(SimpleNamespace(identities=identities))


def test_a_quick_look_takes_a_few_images_of_those_who_have_most() -> None:
    many = ["a"] * 2 + ["b"] * 20 + ["c"] * 9 + ["d"] * 3 + ["e"] * 1 + ["f"] * 8
    found = rows(*many)
    assert [many[row] for row in found] == ["b"] * 8 + ["c"] * 8 + ["d"] * 3 + ["f"] * 8
    assert (FAST_SUBJECTS, FAST_IMAGES) == (4, 8)


def test_rows_rise_and_equal_counts_are_taken_in_the_order_of_the_dataset() -> None:
    assert rows(*"abcdefabcdef") == [0, 1, 2, 3, 6, 7, 8, 9]
    assert rows(*"ba") == [0, 1]
    assert rows() == []


def test_where_every_image_is_its_own_subject_the_list_is_thinned() -> None:
    """Otherwise four images would be left, none of which is held out."""
    found = rows(*map(str, range(320)))
    assert found == list(range(0, 320, 10))
    assert len(set(rows(*map(str, range(33))))) == 32
    assert rows(*map(str, range(20))) == list(range(20))
    assert rows(*map(str, range(320)), "0")[:2] == [0, 1], "one subject has two images"


@dataclass
class Faulty:
    """What ``run`` of a stage kind may wrongly return, and what is said of it."""

    found: Any
    said: str
    file: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        Faulty(None, "run returned None; expected a Result of grid.stages.context"),
        Faulty({"images": 3}, "run returned a dict with the keys images; expected a Result"),
        Faulty(Result(None, ()), "Result.facts is None; expected a dict of JSON values"),  # type: ignore[arg-type]
        Faulty(Result({"norm": np.float32(1)}, ()), "Result.facts is a dict with the keys norm; expected a dict of JSON values"),
        Faulty(Result({}, "result.json"), "Result.outputs is 'result.json'; expected a tuple of file names"),  # type: ignore[arg-type]
        Faulty(Result({}, ("absent.npy",)), "Result.outputs names 'absent.npy'; expected a file that run wrote into"),
        Faulty(Result({}, ("result.json",)), "result.json is not JSON", "{"),
        Faulty(Result({}, ("result.json",)), "result.json is a list of length 1; expected a JSON object", "[1]"),
        Faulty(Result({}, ("result.json",)), "result.json: the value of 'norm' is 'high'; expected a number", '{"norm": {"value": "high"}}'),
    ],
)  # fmt: skip
def test_what_a_stage_returns_wrongly_is_one_line_that_names_it(case: Faulty, tmp_path: Path) -> None:
    if case.file is not None:
        (tmp_path / "result.json").write_text(case.file, encoding="utf-8")
    with pytest.raises(ContractError) as refused:
        checked_result(case.found, "mylab.norms", tmp_path)
    said = str(refused.value)
    assert said.startswith(f"stage 'mylab.norms': {case.said}")
    assert said.endswith("; see docs/extending/stage.md")
    assert "\n" not in said


def test_a_right_result_is_returned_unchanged(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"a": {"value": 1}, "b": {"value": null}, "c": 3}', encoding="utf-8")
    right = Result({"images": 3, "note": None}, ("result.json",))
    assert checked_result(right, "mylab.norms", tmp_path) is right


@dataclass
class Images:
    """A dataset of which only the manifest may be read."""

    manifest: Any


def context(fast: bool, *tables: Path) -> Context:
    given: Any = SimpleNamespace(fast=fast, device="cpu", detected=tables, ledger=SimpleNamespace(path=lambda file, name: file))
    return given  # type: ignore[no-any-return]


def detected(keys: tuple[str, ...], score: float, file: Path) -> Path:
    Detections.of(keys, [Detection(True, (0.0, 0.0, 9.0, 9.0), score)] * len(keys)).save(file)
    return file


def test_faces_are_those_of_the_upstream_stage_that_saw_all_these_images(tmp_path: Path) -> None:
    tables = detected(("a", "b"), 0.5, tmp_path / "1"), detected(("a", "b", "c"), 0.75, tmp_path / "2")
    images: Any = Images(SimpleNamespace(keys=("c", "a")))
    mtcnn = resolve("detector", "mtcnn")
    for fast in (False, True):
        found = detections_of(context(fast, *tables), None, images, mtcnn)  # type: ignore[arg-type]
        assert found.row("c").score == 0.75
    with pytest.raises(ValueError, match="no detection for the image c and others; run the detect stage"):
        detections_of(context(False, tables[0]), None, images, mtcnn)  # type: ignore[arg-type]


@pytest.mark.parametrize("listed", [True, False])
def test_a_quick_check_reads_listed_landmarks_and_detects_only_without(tmp_path: Path, listed: bool) -> None:
    """MTCNN would look for faces in loose crops, and a chosen image would be cropped differently from a launch."""
    drawn = ijb_folder.write(tmp_path / "ijb", "ijbc")
    data: Any = resolve("data", {"name": "ijb", "root": str(tmp_path / "ijb")})
    manifest = data.scan(tmp_path / "cache").subset([5, 9])
    detector = resolve("detector", {"name": "mtcnn", "alignment": "similarity", "listed": listed})
    found = detections_of(context(True), data, data.build(manifest), detector)
    wanted = np.stack([drawn.points[key] for key in manifest.keys])
    distance = np.abs(found.landmarks - wanted).max()
    assert distance < 1e-4 if listed else distance > 0.01
