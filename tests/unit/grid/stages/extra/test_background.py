"""The background stage of a tiny cell: what it writes, and what it refuses before anything runs."""

from typing import Any

import pytest
from PIL import Image
from small import write

from configs.lookup import resolve
from grid.plan.plan import make_plan
from grid.spec.grid_file import BadInput, read
from grid.spec.stage_kind import stage_kind


def test_it_writes_a_picture_and_numbers_for_each_target(studied_cell: Any) -> None:
    with Image.open(studied_cell.path("background", "background.png")) as picture:
        picture.verify()
    found = studied_cell.json("background", "result.json")
    for key in ("rises", "flips", "background_alone", "masked", "randomly_masked"):
        assert set(found[key]) == {"gender", "identity"}
        for name, entry in found[key].items():
            known = entry["value"] is None or entry["low"] <= entry["value"] <= entry["high"]
            assert known, (key, name)
    assert all(found["rises"][name]["value"] is not None for name in ("gender", "identity"))
    about = studied_cell.json("background", "background.json")
    assert about["face"] == studied_cell.marker("background").facts["face"] == "mask"
    assert sum(about["strata"].values()) == about["images"] == 24
    assert set(about["strata"]) == {"half 1", "half 2"}
    assert set(about["masked"]) in ({"half 1", "half 2"}, set())
    assert 0.2 < about["face_share"] < 0.7
    assert len(about["features"]["chosen"]) == found["features"]["chosen"]["value"]


def test_its_columns_are_headlines_first(studied_cell: Any) -> None:
    found = studied_cell.json("background", "result.json")
    measures = stage_kind("background").measures([found])
    assert {one.key for one in measures} <= {
        f"{key}:{name}" if key != "features" else f"features:{name}" for key, part in found.items() for name in part
    }
    assert measures[0].title == "gender: confidence rises without background"


def plan(tmp_path: Any, settings: Any) -> Any:
    parts: Any = {"axes": {}, "stages": [{"name": "background", **settings}], "protocols": [], "explainers": []}
    return make_plan(read(write(tmp_path / "grid.yaml", **parts)))


def test_the_labels_of_the_stratum_are_part_of_the_identity(tmp_path: Any) -> None:
    def identity(**settings: Any) -> Any:
        return next(one for one in plan(tmp_path, settings).stages if one.stage == "background").node.identity

    assert "labels" not in identity()
    assert identity(stratum="gender", choose="Male")["labels"] != identity(stratum="age", choose="20-29")["labels"]


def test_a_stratum_that_does_not_exist_is_refused_before_anything_runs(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match=r"stratum 'hat' is no column of dataset drawn \(known: age, age_years, gender\)"):
        plan(tmp_path, {"stratum": "hat", "choose": "yes"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stratum": "gender"}, "give both or none"),
        ({"choose": "Male"}, "give both or none"),
        ({"ellipse": (0.5, 0.5, 0.0, 0.5)}, "half width and half height are positive; found 0.0 and 0.5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve("stage", {"name": "background", **settings})
